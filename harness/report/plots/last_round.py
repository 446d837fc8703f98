"""How fast the network of the last round learns, beside the dense one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.board.snapshot_curves import ROUND
from harness.report.plots.lines import draw_seeds
from harness.report.plots.style import add_legend, as_whole_numbers, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    from harness.report.plots.lines import Line
    from harness.report.plots.table_data import TableData
    from harness.results.schema import EpochRow


def draw(table: TableData) -> Figure | None:
    """Training macro-F1 of each epoch: of the last round where a row has rounds, and of
    the baseline.
    """
    figure = new_figure(4.2, f"{table.title}: training in the last round")
    panel = figure.subplots()
    legend: dict[str, Artist] = {}
    for row in table.rows:
        lines = [_last_round(history) for history in row.histories]
        legend |= draw_seeds(panel, row, [line for line in lines if line])
    if not legend:
        return None
    if table.baseline is not None:
        lines = [_line(history) for history in table.baseline.histories]
        dense = draw_seeds(panel, table.baseline, lines, linestyle=":")
        legend |= {f"{label} (dense)": line for label, line in dense.items()}
    panel.set_xlabel("epoch of the round")
    panel.set_ylabel("macro-F1, training")
    as_whole_numbers(panel.xaxis)
    add_legend(figure, legend)
    return figure


def _last_round(history: Sequence[EpochRow]) -> Line:
    rounds = [e.loops[ROUND] for e in history if ROUND in e.loops]
    return _line([e for e in history if rounds and e.loops.get(ROUND) == max(rounds)])


def _line(epochs: Sequence[EpochRow]) -> Line:
    return [(float(i), e.training.macro_f1) for i, e in enumerate(epochs)]
