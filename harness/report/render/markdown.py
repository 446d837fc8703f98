"""A leaderboard as a markdown page that reads well on GitHub and as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.report.render.blocks import folded, grid
from harness.report.render.columns import RANK, STRATEGY, Column
from harness.report.render.cost_tables import required_blocks
from harness.report.render.facet_table import leads_blocks
from harness.report.render.format import escape
from harness.report.render.intro import (
    column_heading,
    data_section,
    dataset_columns,
    introduction,
    legend,
    measured_on,
    mixed_data_warning,
    provenance_lines,
    synthetic_notice,
    training_line,
    unfinished_required,
)
from harness.report.render.notes import HEADING, glance_lines, table_notes
from harness.report.render.snapshot_table import revision_blocks, rounds_blocks
from harness.report.render.tables import (
    across_blocks,
    comparison_blocks,
    front_blocks,
    sureness_blocks,
    time_blocks,
)

if TYPE_CHECKING:
    from harness.report.board.board import Board, DatasetTables, Row, Table


Links = Sequence[tuple[str, str]]
Plots = Mapping[tuple[str, str | None], Links]

PICTURED = ("macro-F1 against compute", "quality against reduction")
"""Which plots stand on the page, by their titles."""
ELSE_PICTURED = "quality against compute"


def to_markdown(board: Board, plots: Plots | None = None, leads: Links = ()) -> str:
    """The page: a pure function of `build_leaderboard`'s value.

    Parameters
    ----------
    plots
        Titles and relative paths of the plots of each table, by the labels of its data
        set and its model.
    leads
        Alternative texts and relative paths of the charts by lead.
    """
    blocks = [
        f"# {escape(board.title)}",
        introduction(board),
        *synthetic_notice(board),
        *leads_blocks(board.leads, leads),
        *across_blocks(board.across),
    ]
    for dataset in board.datasets:
        blocks += _dataset_blocks(dataset, plots or {})
    blocks += unfinished_required(board.required)
    blocks += ["## What the columns mean", legend(board)]
    blocks += ["## What was measured on what"]
    for dataset in board.datasets:
        blocks += data_section(dataset)
    blocks += ["### Software and hardware", provenance_lines(board.provenance)]
    return "\n\n".join(blocks) + "\n"


def _dataset_blocks(dataset: DatasetTables, plots: Plots) -> list[str]:
    about = dataset.about
    blocks = [f"## {escape(dataset.label)}"]
    if about:
        blocks.append(measured_on(about))
        blocks += mixed_data_warning(about)
    columns = dataset_columns(dataset)
    for table in dataset.tables:
        links = plots.get((dataset.label, table.model), ())
        blocks += _table_blocks(dataset.label, table, columns, links)
    return blocks


def _table_blocks(
    dataset: str, table: Table, columns: list[Column], plots: Links
) -> list[str]:
    model = "no model" if table.model is None else escape(table.model)
    glance, notes = glance_lines(table), [f"- {note}" for note in table_notes(table)]
    blocks = [f"### {escape(dataset)} · {model}", *training_line(table)]
    blocks += [HEADING, "\n".join(glance)] if glance else []
    blocks.append(_grid(table.rows, [one for one in columns if not one.aside]))
    blocks += ["\n".join(notes)] if notes else []
    blocks += _aside(table.rows, columns)
    return [*blocks, *blocks_below(table), *_plot_blocks(plots)]


def blocks_below(table: Table) -> list[str]:
    """What stands below a table of rows and its notes, in this order on every page."""
    rows = table.rows
    return [
        *sureness_blocks(rows),
        *front_blocks(table.fronts),
        *required_blocks(rows),
        *comparison_blocks(table.comparisons),
        *time_blocks(rows, table.baseline),
        *revision_blocks(rows),
        *rounds_blocks(rows),
    ]


def _grid(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    headings = [column_heading(column) for column in columns]
    aligned = zip(headings, columns, strict=True)
    return grid(
        [[escape(column.show(row)) for column in columns] for row in rows],
        headings,
        [heading for heading, column in aligned if column.align == "left"],
    )


def _aside(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """The columns that the main table has no room for, in one that folds away."""
    names = [column for column in columns if column.heading in (RANK, STRATEGY)]
    others = [column for column in columns if column.aside]
    return folded("Other scores", _grid(rows, [*names, *others]))


def _plot_blocks(plots: Links) -> list[str]:
    """The pictures that tell most, and where the others are."""
    pictures = [link for link in plots if link[0] in PICTURED]
    pictures = pictures or [link for link in plots if link[0] == ELSE_PICTURED]
    shown = [f"![{escape(title)}]({path})" for title, path in pictures]
    links = [f"[{escape(t)}]({path})" for t, path in plots if (t, path) not in pictures]
    return [*shown, f"Plots: {', '.join(links)}."] if links else shown
