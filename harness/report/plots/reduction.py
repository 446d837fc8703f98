"""What is left of the quality when so few weights are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from harness.report.board.snapshot_curves import rounds_of
from harness.report.plots.palette import DARK, MARK
from harness.report.plots.style import add_legend, as_multiples, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.report.board.board import SnapshotPoint
    from harness.report.board.parts import Summary
    from harness.report.plots.table_data import RowData, TableData

MARKERS_UP_TO = 30


def draw(table: TableData) -> Figure | None:
    """Test macro-F1 of each round's network, retrained and before, against its
    reduction factor; the dense baseline across.
    """
    figure = new_figure(4.2, f"{table.title}: quality against reduction")
    panel = figure.subplots()
    legend: dict[str, Artist] = {}
    before: list[Line2D] = []
    for row in table.rows:
        rounds = rounds_of(row.row)
        retrained = _points([r.retrained for r in rounds])
        pruned = _points([r.pruned for r in rounds])
        legend |= _draw_retrained(panel, row, retrained)
        before += _draw_before(panel, row, pruned)
    if not legend and not before:
        return None
    if before:
        dashed = Line2D([], [], color=MARK, linestyle="--", linewidth=1)
        legend["the same before retraining"] = dashed
    legend |= _draw_dense(panel, table.baseline)
    panel.set_xscale("log")
    as_multiples(panel.xaxis)
    panel.set_xlabel("reduction factor: prunable weights as built / remaining")
    panel.set_ylabel("macro-F1, test")
    add_legend(figure, legend)
    return figure


def _points(points: Sequence[SnapshotPoint | None]) -> list[tuple[float, float, float]]:
    """(reduction factor, mean of macro-F1, its spread) of what was measured."""
    return [
        (factor.mean, *_mean_and_spread(score))
        for p in points
        if p
        and (factor := p.figure("reduction_factor"))
        and (score := p.figure("macro_f1"))
    ]


def _mean_and_spread(summary: Summary) -> tuple[float, float]:
    return summary.mean, summary.spread or 0.0


def _draw_retrained(
    panel: Axes, row: RowData, points: list[tuple[float, float, float]]
) -> dict[str, Artist]:
    if not points:
        return {}
    x, mean, spread = (list(column) for column in zip(*points, strict=True))
    low = [m - s for m, s in zip(mean, spread, strict=True)]
    high = [m + s for m, s in zip(mean, spread, strict=True)]
    panel.fill_between(x, low, high, color=row.colour, alpha=0.15, linewidth=0)
    marker = row.marker if len(points) <= MARKERS_UP_TO else ""
    (line,) = panel.plot(
        x, mean, color=row.colour, marker=marker, markersize=4, linewidth=1.7
    )
    return {row.label: line}


def _draw_before(
    panel: Axes, row: RowData, points: list[tuple[float, float, float]]
) -> list[Line2D]:
    if not points:
        return []
    x, mean, _ = (list(column) for column in zip(*points, strict=True))
    drawn: list[Line2D] = panel.plot(
        x, mean, color=row.colour, linestyle="--", linewidth=1.0
    )
    return drawn


def _draw_dense(panel: Axes, baseline: RowData | None) -> dict[str, Artist]:
    score = baseline.row.figure("macro_f1") if baseline else None
    if baseline is None or score is None:
        return {}
    mean, spread = _mean_and_spread(score)
    panel.axhspan(mean - spread, mean + spread, color=DARK, alpha=0.08, linewidth=0)
    line = panel.axhline(mean, color=DARK, linewidth=1.2, linestyle=":")
    return {f"{baseline.label} (dense)": line}
