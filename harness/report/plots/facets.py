"""What a teacher added to each lead, and what each control did, beside no teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.analysis.comparisons import FEWEST_SEEDS
from harness.report.analysis.facet_groups import UNTAUGHT
from harness.report.plots.palette import (
    BLUE,
    DARK,
    FAINT,
    GREEN,
    OLIVE,
    ORANGE,
    PINK,
    RED,
    SKY,
    label_of,
)
from harness.report.plots.style import add_legend, new_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.report.board.board import Facet, FacetControl, FacetGroup
    from harness.report.board.parts import Comparison

_COLOURS = (ORANGE, GREEN, SKY, PINK, OLIVE, RED, BLUE)
_MARKERS = ("s", "^", "D", "v", "P", "X", "h")
_INCHES_A_POINT = 0.14
_WITHIN_A_LEAD = 0.72
"""Of the distance between two leads."""


def draw(group: FacetGroup) -> Figure | None:
    """Differences of macro-F1 to the same without a teacher, with 95 % intervals: of
    the taught cells in full, of each control in colour; a row for each lead.
    """
    controls = {c.name: None for part in group.leads for c in part.controls}
    names = [name for name in controls if name != UNTAUGHT]
    series = [_points(group.leads, UNTAUGHT, lambda control: control.against)]
    series += [
        _points(group.leads, name, lambda control: control.beside_untaught)
        for name in names
    ]
    if not any(point for points in series for point in points):
        return None
    height = 1.3 + len(group.leads) * max(0.32, _INCHES_A_POINT * (len(series) + 1))
    title = f"{group.strategy} · {group.data} · {group.model}"
    figure = new_figure(height, f"{title}: lead by lead")
    panel = figure.subplots()
    panel.axvline(0, color=DARK, linewidth=1)
    legend: dict[str, Artist] = {}
    for i, (name, points) in enumerate(
        zip([group.strategy, *names], series, strict=True)
    ):
        offset = _WITHIN_A_LEAD * ((i + 0.5) / len(series) - 0.5)
        legend |= _draw_points(panel, label_of(name, 60), points, offset, i)
    _dress(panel, [",".join(part.leads) or "all" for part in group.leads])
    add_legend(figure, legend)
    return figure


def _points(
    leads: Sequence[Facet],
    name: str,
    which: Callable[[FacetControl], Comparison | None],
) -> list[Comparison | None]:
    """A comparison of each lead's control of that name, where it was measured."""
    found = []
    for part in leads:
        controls = {control.name: control for control in part.controls}
        point = which(controls[name]) if name in controls else None
        found.append(point if point and point.difference else None)
    return found


def _draw_points(
    panel: Axes, label: str, points: Sequence[Comparison | None], offset: float, i: int
) -> dict[str, Artist]:
    """Points with intervals; hollow where there are too few pairs to rely on these."""
    style: dict[str, Any] = {"color": DARK, "marker": "o", "linewidth": 2.0}
    if i:
        style = {
            "color": _COLOURS[(i - 1) % len(_COLOURS)],
            "marker": _MARKERS[(i - 1) % len(_MARKERS)],
            "linewidth": 1.3,
        }
    drawn: dict[str, Artist] = {}
    for row, point in enumerate(points):
        if point is None or point.difference is None:
            continue
        y, mean = row + offset, point.difference.mean
        if point.low is not None and point.high is not None:
            panel.plot(
                [point.low, point.high],
                [y, y],
                color=style["color"],
                linewidth=style["linewidth"],
            )
        few = point.difference.n < FEWEST_SEEDS
        face = "white" if few else style["color"]
        (artist,) = panel.plot(
            [mean], [y], **style, markersize=5 if i else 6, markerfacecolor=face
        )
        drawn.setdefault(label, artist)
    return drawn


def _dress(panel: Axes, leads: Sequence[str]) -> None:
    panel.set_yticks(range(len(leads)), [label_of(lead, 30) for lead in leads])
    panel.set_ylim(len(leads) - 0.5, -0.5)
    panel.grid(visible=False, axis="y")
    for row in range(1, len(leads)):
        panel.axhline(row - 0.5, color=FAINT, linewidth=0.5)
    panel.set_ylabel("lead")
    panel.set_xlabel(
        f"macro-F1, test: difference to {UNTAUGHT}, 95 % interval "
        f"(hollow: fewer than {FEWEST_SEEDS} pairs)"
    )
