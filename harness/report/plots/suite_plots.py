"""All plots of a suite, as files by name and as links by table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.report.plots import compute, last_round, layers, reduction
from harness.report.plots import facets as leads
from harness.report.plots import history_series as kept_share
from harness.report.plots import pareto as front
from harness.report.plots.plot_files import FRONT, LEADS, SuitePlots
from harness.report.plots.style import house_style, svg_of
from harness.report.plots.table_data import table_data
from harness.report.render.facet_table import alternative_text
from harness.report.render.format import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.report.board.board import Board, FacetGroup
    from harness.report.plots.table_data import History, TableData

KINDS: dict[str, tuple[str, Callable[[TableData], Figure | None]]] = {
    "kept-share": ("records trained on", kept_share.draw),
    "compute": ("quality against compute", compute.draw),
    "reduction": ("quality against reduction", reduction.draw),
    "front": (FRONT, front.draw),
    "layers": ("weights left, layer by layer", layers.draw),
    "last-round": ("training in the last round", last_round.draw),
}
"""By the end of the file's name: what the link says, and what draws it."""

_LONGEST = 60


def draw_tables(board: Board, history: Callable[[str], History]) -> SuitePlots:
    """Draw what belongs to tables, which takes no predictions.

    Parameters
    ----------
    history
        Gives the epochs of a cell, by its id.
    """
    plots = SuitePlots()
    stems: set[str] = set()
    for dataset in board.datasets:
        for table in dataset.tables:
            key = dataset.label, table.model
            stem = _stem(*key, stems)
            stems.add(stem)
            data = table_data(dataset, table, history)
            for kind, (title, draw) in KINDS.items():
                with house_style():
                    figure = draw(data)
                    if figure is None:
                        continue
                    name = f"{stem}.{kind}.svg"
                    plots.files[name] = svg_of(figure)
                plots.names.setdefault(key, []).append((title, name))
    return plots


def with_leads(plots: SuitePlots, groups: Sequence[FacetGroup]) -> SuitePlots:
    """The plots, with the charts by lead of what teachers bought."""
    plots = SuitePlots(dict(plots.files), plots.names, list(plots.leads))
    stems: set[str] = set()
    for group in groups:
        stem = _stem(group.data, f"{group.model} {group.strategy}", stems)
        stems.add(stem)
        with house_style():
            figure = leads.draw(group)
            if figure is None:
                continue
            name = f"{stem}.{LEADS}.svg"
            plots.files[name] = svg_of(figure)
        plots.leads.append((alternative_text(group), name))
    return plots


def _stem(dataset: str, model: str | None, taken: set[str]) -> str:
    """What a table's files are called, unlike all others'."""
    stem = f"{_slug(dataset)}.{_slug(model or 'no-model')}"
    number = 1
    found = stem
    while found in taken:
        number += 1
        found = f"{stem}-{number}"
    return found


def _slug(label: str) -> str:
    """A label in letters, digits and dashes."""
    text = re.sub(r"[^a-z0-9]+", "-", plain(label).lower())[:_LONGEST]
    return text.strip("-") or "x"
