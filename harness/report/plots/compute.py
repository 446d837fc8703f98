"""What quality had been reached when so much had been computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.board.snapshot_curves import ROUND
from harness.report.plots.lines import draw_seeds
from harness.report.plots.style import add_legend, as_multiples, new_panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    from harness.report.board.board import CellOfRow
    from harness.report.plots.lines import Line
    from harness.report.plots.table_data import TableData
    from harness.results.schema import EpochRow

LINEAR_UP_TO = 4.0


def draw(table: TableData) -> Figure | None:
    """Validation macro-F1 against training FLOPs so far, those of required cells
    included, relative to the baseline's total.

    Where a row has rounds it is shown at the end of each: most begin from weights that
    have learnt nothing yet.
    """
    figure, panel = new_panel(4.2, f"{table.title}: quality against compute")
    legend: dict[str, Artist] = {}
    furthest = 0.0
    for row in table.rows:
        lines = [_line(seed, history) for seed, history in row.seeds]
        furthest = max([furthest, *(x for line in lines for x, _ in line)])
        drawn = draw_seeds(panel, row, lines)
        several = any(map(_has_rounds, row.histories))
        legend |= {f"{k}, by round" if several else k: v for k, v in drawn.items()}
    if not legend:
        return None
    if furthest > LINEAR_UP_TO:
        panel.set_xscale("log")
        as_multiples(panel.xaxis)
    panel.set_xlabel("training FLOPs so far / all of the baseline's")
    panel.set_ylabel("macro-F1, validation")
    add_legend(figure, legend)
    return figure


def _line(seed: CellOfRow, history: Sequence[EpochRow]) -> Line:
    """A cell's epochs; none where their compute, or the baseline's, isn't known."""
    total, relative = seed.figure("training_flops"), seed.figure("relative_compute")
    own = seed.own_training_flops
    if not total or not relative or own is None:
        return []
    baseline, required = total / relative, max(0, total - own)
    return [
        ((required + epoch.flops) / baseline, epoch.validation.macro_f1)
        for epoch in _ends_of_rounds(history)
        if epoch.flops
    ]


def _has_rounds(history: Sequence[EpochRow]) -> bool:
    return any(ROUND in epoch.loops for epoch in history)


def _ends_of_rounds(history: Sequence[EpochRow]) -> Sequence[EpochRow]:
    """The last epoch of each round; all epochs where there are no rounds."""
    if not _has_rounds(history):
        return history
    return list({epoch.loops.get(ROUND): epoch for epoch in history}.values())
