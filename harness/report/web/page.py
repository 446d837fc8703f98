"""The web page of a suite: one file that needs no other and no network.

The two charts that a reader acts on are drawn here; the others are the report's own
SVG files, by matplotlib. Both weigh little, need no script to be seen, and are the same
each time. What moves is some lines of script of the page's own.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.report.render.facet_table import alternative_text, leads_blocks
from harness.report.render.format import plain, plural
from harness.report.render.intro import (
    data_section,
    dataset_columns,
    introduction,
    legend,
    measured_on,
    mixed_data_warning,
    provenance_lines,
    synthetic_notice,
    unfinished_required,
)
from harness.report.render.tables import across_blocks
from harness.report.web.html import to_html
from harness.report.web.inline_svg import declarations, inline_svg
from harness.report.web.row_detail import SEED_HEADINGS
from harness.report.web.table import Figure, Sources, table_figures, table_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.report.board.board import Board, BoardProvenance, DatasetTables
    from harness.report.plots.plot_files import SuitePlots

STATES = ("done", "running", "planned", "blocked", "failed", "stale")


def to_page(board: Board, sources: Sources, drawn: Callable[[], SuitePlots]) -> str:
    """The page, the same from the same values.

    Parameters
    ----------
    sources
        What is read of cells beside it.
    drawn
        Gives the plots, as `draw_tables` and `with_leads` do for it. It is called once
        all else is made, since they may still be drawn elsewhere.
    """
    datasets = [
        _dataset(number, dataset, sources)
        for number, dataset in enumerate(board.datasets, start=1)
    ]
    tables = [table for dataset in datasets for table in dataset["tables"]]
    plots = drawn()
    leads = _leads(board, plots)
    figures = {table.id: table_figures(table, plots) for table in tables}
    shown = [leads["figures"], *figures.values()]
    colours = {colour for some in shown for one in some for colour in one.svg.colours}
    colours |= {
        colour for t in tables for chart in t.charts for colour in chart.colours
    }
    script = _read("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=plain(board.title),
            suite=plain(board.suite),
            introduction=_prose([introduction(board), *synthetic_notice(board)]),
            states=[(s, board.states[s]) for s in STATES if board.states.get(s)],
            sources_differ=_differing_sources(board.provenance),
            leads=leads,
            across=_prose(across_blocks(board.across), "Across tables"),
            datasets=datasets,
            figures=figures,
            required=_prose(unfinished_required(board.required)),
            legend=_prose([legend(board)]),
            data=_prose([b for d in board.datasets for b in data_section(d)]),
            provenance=_prose([provenance_lines(board.provenance)]),
            seed_headings=SEED_HEADINGS,
            colours=declarations(colours),
            style=_read("page.css"),
            script=script,
            script_hash=_hash(script),
        )
    )


def _prose(blocks: list[str], about: str = "Table") -> Markup:
    return to_html(blocks, about)


def _dataset(number: int, dataset: DatasetTables, sources: Sources) -> dict[str, Any]:
    about = dataset.about
    words = [measured_on(about), *mixed_data_warning(about)] if about else []
    columns = dataset_columns(dataset)
    return {
        "id": f"d{number}",
        "title": plain(dataset.label),
        "about": _prose(words),
        "tables": [
            table_part(f"d{number}-{i}", dataset, table, columns, sources)
            for i, table in enumerate(dataset.tables, start=1)
        ],
    }


def _leads(board: Board, plots: SuitePlots) -> dict[str, Any]:
    """What teachers bought, lead by lead: words, tables and charts."""
    titles = {
        alternative_text(g): " · ".join(map(plain, (g.strategy, g.data, g.model)))
        for g in board.leads
    }
    figures = [
        Figure(
            f"leads-{i}",
            f"lead by lead: {titles[text]}",
            inline_svg(plots.files[name], f"leads-{i}-", plain(text)),
        )
        for i, (text, name) in enumerate(plots.leads, start=1)
    ]
    blocks = leads_blocks(board.leads, ())
    return {"prose": _prose(blocks, "Lead by lead"), "figures": figures}


def _differing_sources(provenance: BoardProvenance) -> list[str]:
    """Plugins of which several versions of the source made results of this suite."""
    return [
        f"{plain(name)}: {plural(len(hashes), 'version')}"
        for name, hashes in provenance.plugins.items()
        if len(hashes) > 1
    ]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("harness.report.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _read(name: str) -> Markup:
    """A file of the page's own, which ends up between its tags as it is."""
    environment = _environment()
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, name)
    return Markup(source)  # noqa: S704


def _hash(script: str) -> str:
    """By which a browser knows the one script that may run (CSP level 3)."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
