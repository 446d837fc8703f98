"""Lines of several seeds: each of them thin, their mean in full."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from harness.report.plots.table_data import RowData

Line = Sequence[tuple[float, float | None]]
"""Points (x, y); None: not measured."""

_MARKERS_A_LINE = 12
_GAP = (math.nan, None)


def draw_seeds(
    panel: Axes, row: RowData, seeds: Sequence[Line], **style: Any
) -> dict[str, Artist]:
    """The lines of a row's seeds and their mean, as far as all seeds go.

    Returns
    -------
    dict
        The entry of a legend; empty where there is nothing to draw.
    """
    seeds = [line for line in seeds if any(y is not None for _, y in line)]
    if not seeds:
        return {}
    if len(seeds) > 1:
        # One line with gaps takes a fraction of the time of many.
        joined = [point for line in seeds for point in (*line, _GAP)]
        panel.plot(*_columns(joined), color=row.colour, linewidth=0.6, alpha=0.4)
    return draw_mean(panel, row, seeds, **style)


def draw_mean(
    panel: Axes, row: RowData, seeds: Sequence[Line], **style: Any
) -> dict[str, Artist]:
    """The mean alone."""
    mean = mean_line(seeds)
    if not any(y is not None for _, y in mean):
        return {}
    full: dict[str, Any] = {
        "color": row.colour,
        "marker": row.marker,
        "markersize": 3.5,
        "markevery": max(1, len(mean) // _MARKERS_A_LINE),
        "linewidth": 1.7,
    }
    (artist,) = panel.plot(*_columns(mean), **(full | style))
    return {row.label: artist}


def mean_line(lines: Sequence[Line]) -> Line:
    """Means of x and of y, point by point, until the first of the lines ends."""
    points = []
    for at in zip(*lines, strict=False):
        known = [y for _, y in at if y is not None]
        mean = sum(known) / len(known) if known else None
        points.append((sum(x for x, _ in at) / len(at), mean))
    return points


def _columns(line: Line) -> tuple[list[float], list[float]]:
    return [x for x, _ in line], [math.nan if y is None else y for _, y in line]
