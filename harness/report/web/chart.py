"""Charts of the page as values that its template draws, and their scales."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.ticker import LogLocator, MaxNLocator

from harness.report.web.inline_svg import variable

if TYPE_CHECKING:
    from harness.report.plots.table_data import RowData


_ROUNDING = 1e-9


@dataclass(frozen=True)
class Scale:
    """An axis: its ends, where they lie in the chart, and the ticks between them."""

    low: float
    high: float
    start: float
    stop: float
    ticks: Sequence[float]
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value, rounded to what can be seen."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = (math.log10(v) for v in (value, low, high))
        share = (value - low) / (high - low)
        return round(self.start + share * (self.stop - self.start), 2)


def linear_scale(
    values: Sequence[float],
    start: float,
    stop: float,
    *,
    from_zero: bool = False,
    whole: bool = False,
) -> Scale:
    """An axis that holds all values, with a margin.

    Parameters
    ----------
    from_zero
        Begin at 0, without a margin there.
    whole
        Ticks at whole numbers only.
    """
    low, high = (0.0 if from_zero else min(values)), max(values)
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    low, high = (low if from_zero else low - margin), high + margin
    locator = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=whole)
    return Scale(
        low, high, start, stop, _within(locator.tick_values(low, high), low, high)
    )


def logarithmic_scale(values: Sequence[float], start: float, stop: float) -> Scale:
    """An axis of values above 0 that are far apart."""
    low, high = min(values) / 1.3, max(values) * 1.3
    ticks = LogLocator(subs=(1.0, 2.0, 5.0)).tick_values(low, high)
    return Scale(low, high, start, stop, _within(ticks, low, high), logarithmic=True)


def _within(ticks: Sequence[float], low: float, high: float) -> list[float]:
    slack = _ROUNDING * (high - low)
    return [float(t) for t in ticks if low - slack <= t <= high + slack]


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
        Key(ids[r.row.strategy], r.label, colour_of(r), MARKERS[r.marker]) for r in rows
    ]
    colours = frozenset(row.colour.lower() for row in rows)
    return Chart(name, caption, note, panels, keys, colours)


def colour_of(row: RowData) -> str:
    """The page's variable for a row's colour."""
    return variable(row.colour.lower())


def ticks_of(scale: Scale) -> list[Tick]:
    """The ticks of an axis of plain numbers."""
    return [Tick(scale(t), f"{t:.6g}") for t in scale.ticks]
