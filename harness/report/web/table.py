"""What the page shows of one table of a leaderboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.board.pareto import COMPUTE
from harness.report.plots.plot_files import FRONT
from harness.report.plots.table_data import TableData, table_data
from harness.report.render.columns import RANK, STRATEGY, Column
from harness.report.render.format import NOT_MEASURED, plain
from harness.report.render.intro import training_line
from harness.report.render.markdown import blocks_below
from harness.report.render.notes import glance_lines, table_notes
from harness.report.web.chart import Chart
from harness.report.web.epochs_chart import epochs_chart
from harness.report.web.html import to_html
from harness.report.web.inline_svg import InlineSvg, inline_svg
from harness.report.web.pareto_chart import front_chart
from harness.report.web.records import Recordings, RecordsPart, records_part
from harness.report.web.row_detail import RowPart, row_part

if TYPE_CHECKING:
    from markupsafe import Markup

    from harness.report.board.board import DatasetTables, Row, Table
    from harness.report.plots.plot_files import SuitePlots
    from harness.report.plots.table_data import History
    from harness.report.read import CellResult


@dataclass(frozen=True)
class Sources:
    """What is read of cells, by their ids, beside the leaderboard.

    Attributes
    ----------
    cells
        By id.
    history
        Epochs of a cell.
    parameters
        Of a cell, by name.
    recordings
        Where records that were got wrong come from; None: none is shown.
    """

    cells: Mapping[str, CellResult]
    history: Callable[[str], History]
    parameters: Callable[[CellResult], Mapping[str, str]]
    recordings: Recordings | None = None


@dataclass(frozen=True)
class Figure:
    """A plot in the page."""

    id: str
    caption: str
    svg: InlineSvg


@dataclass(frozen=True)
class Cell:
    """What a row shows in a column: text, and what it is sorted by, "" for nothing."""

    text: str
    value: str
    kind: str


@dataclass(frozen=True)
class State:
    """How many cells of a row are in a state other than done."""

    name: str
    text: str


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    id: str
    name: str
    whole: bool
    states: Sequence[State]
    on_front: bool
    cells: Sequence[Cell]


@dataclass(frozen=True)
class TablePart:
    """A table with what belongs to it but its plots; `labels` are those of its data set
    and its model.
    """

    id: str
    labels: tuple[str, str | None]
    title: str
    training: Markup
    glance: Markup
    columns: Sequence[Column]
    lines: Sequence[Line]
    notes: Markup
    more: Markup
    charts: Sequence[Chart]
    by_class: Sequence[RowPart]
    records: RecordsPart | None
    rows: Sequence[RowPart]


def table_part(
    name: str,
    dataset: DatasetTables,
    table: Table,
    columns: Sequence[Column],
    sources: Sources,
) -> TablePart:
    """One table of `build_leaderboard`.

    Parameters
    ----------
    name
        Begins the ids of all that belongs to it.
    columns
        Those of its data set.
    """
    rows, model = table.rows, table.model
    names = sorted(row.strategy for row in rows)
    ids = {label: f"{name}-r{i}" for i, label in enumerate(names, start=1)}
    best = set(table.fronts[COMPUTE].rows)
    label = plain(dataset.label)
    title = f"{label} · {'no model' if model is None else plain(model)}"
    parts = [
        row_part(
            ids[row.strategy],
            row,
            [sources.cells[seed.cell] for seed in row.seeds],
            sources.parameters,
        )
        for row in rows
    ]
    data = table_data(dataset, table, sources.history)
    return TablePart(
        id=name,
        labels=(dataset.label, model),
        title=title,
        training=to_html(training_line(table), title),
        glance=to_html(["\n".join(glance_lines(table))], title),
        columns=columns,
        lines=[_line(row, columns, ids[row.strategy], best) for row in rows],
        notes=to_html(_notes(table), title),
        more=to_html(blocks_below(table), title),
        charts=_charts(name, data, ids, best),
        by_class=[part for part in parts if part.classes],
        records=records_part(dataset, rows, sources.cells, sources.recordings),
        rows=parts,
    )


def _notes(table: Table) -> list[str]:
    notes = [f"- {note}" for note in table_notes(table)]
    return ["\n".join(notes)] if notes else []


def _line(row: Row, columns: Sequence[Column], name: str, best: set[str]) -> Line:
    others = sorted(set(row.states) - {"done"})
    return Line(
        id=name,
        name=plain(row.strategy),
        whole=row.done == row.cells,
        states=[State(name, f"{row.states[name]} {name}") for name in others],
        on_front=row.strategy in best,
        cells=[_cell(row, column) for column in columns],
    )


def _cell(row: Row, column: Column) -> Cell:
    value, text = column.value(row), column.show(row)
    kind = {RANK: "rank", STRATEGY: "name"}.get(column.heading, column.align)
    if text == NOT_MEASURED and kind != "name":
        kind += " none"
    return Cell(text, "" if value is None else _sortable(value), kind)


def _sortable(value: float | str) -> str:
    return value if isinstance(value, str) else repr(value)


def _charts(
    name: str, data: TableData, ids: Mapping[str, str], best: set[str]
) -> list[Chart]:
    found = (
        front_chart(f"{name}-front", data, ids, best),
        epochs_chart(f"{name}-epochs", data, ids),
    )
    return [chart for chart in found if chart]


def table_figures(table: TablePart, plots: SuitePlots) -> list[Figure]:
    """Whatever else was drawn of a table."""
    about = " · ".join(label for label in table.labels if label is not None)
    found = []
    # The page has a front of its own, whose points are links.
    names = [(t, file) for t, file in plots.names.get(table.labels, ()) if t != FRONT]
    for number, (title, file) in enumerate(names, start=1):
        place = f"{table.id}-p{number}"
        shown = inline_svg(plots.files[file], f"{place}-", f"{about}: {title}")
        found.append(Figure(place, title, shown))
    return found
