"""The charts that a reader acts on: points that are links, lines that stand out.

They are drawn here and not by matplotlib, which takes ten seconds for twenty tables of
a thousand cells, and whose text would be too small on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.web.colours import variable

if TYPE_CHECKING:
    from harness.report.plots.table_data import RowData
    from harness.report.web.scales import Scale

LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 10.0, 40.0
"""Margins of a panel."""
MARKERS = {
    "o": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "s": "M-4.5-4.5h9v9h-9z",
    "^": "M0-5.5L5 4.5H-5z",
    "D": "M0-6L6 0L0 6L-6 0z",
    "v": "M0 5.5L5-4.5H-5z",
    "P": "M-2-5.5h4v3.5h3.5v4h-3.5v3.5h-4v-3.5h-3.5v-4h3.5z",
    "X": "M-5-3L-3-5L0-2L3-5L5-3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0z",
}
"""Outlines around (0, 0), by matplotlib's names."""


@dataclass(frozen=True)
class Tick:
    """Where an axis has a label."""

    at: float
    text: str


@dataclass(frozen=True)
class Point:
    """A row's place: what is said of it, and the ends of its spread."""

    row: str
    text: str
    x: float
    y: float
    spread: tuple[float, float] | None
    colour: str
    marker: str
    hollow: bool


@dataclass(frozen=True)
class Curve:
    """A row's line, as the path of an SVG."""

    row: str
    path: str
    colour: str


@dataclass(frozen=True)
class Panel:
    """Axes and what is drawn between them."""

    title: str
    label: str
    width: float
    height: float
    x_label: str
    y_label: str
    x_ticks: Sequence[Tick] = ()
    y_ticks: Sequence[Tick] = ()
    points: Sequence[Point] = ()
    curves: Sequence[Curve] = ()
    front: str = ""
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    row: str
    name: str
    colour: str
    marker: str


@dataclass(frozen=True)
class Chart:
    """Panels side by side under one legend."""

    id: str
    caption: str
    note: str
    panels: Sequence[Panel]
    keys: Sequence[Key]
    colours: frozenset[str]


def legend_chart(
    name: str,
    caption: str,
    note: str,
    panels: Sequence[Panel],
    rows: Sequence[RowData],
    ids: Mapping[str, str],
) -> Chart:
    """Panels with a legend of rows, whose parts of the page have these ids."""
    keys = [
        Key(ids[r.row["strategy"]], r.label, colour_of(r), MARKERS[r.marker])
        for r in rows
    ]
    colours = frozenset(row.colour.lower() for row in rows)
    return Chart(name, caption, note, panels, keys, colours)


def colour_of(row: RowData) -> str:
    """The page's variable for a row's colour."""
    return variable(row.colour.lower())


def ticks_of(scale: Scale) -> list[Tick]:
    """The ticks of an axis of plain numbers."""
    return [Tick(scale(t), f"{t:.6g}") for t in scale.ticks]
