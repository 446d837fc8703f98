"""How loss, macro-F1 and sparsity went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.report.plots.lines import mean_line
from harness.report.web.chart import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Chart,
    Curve,
    Panel,
    Scale,
    Tick,
    colour_of,
    legend_chart,
    linear_scale,
    ticks_of,
)

if TYPE_CHECKING:
    from harness.report.plots.lines import Line
    from harness.report.plots.table_data import RowData, TableData
    from harness.results.schema import EpochRow

WIDTH, HEIGHT = 420.0, 260.0
SPARSITY = "sparsity"
"""Shown where some row has any."""
CURVES: dict[str, Callable[[EpochRow], float | None]] = {
    "loss, training": lambda epoch: epoch.loss,
    "loss, validation": lambda epoch: epoch.validation.loss,
    "macro-F1, training": lambda epoch: epoch.training.macro_f1,
    "macro-F1, validation": lambda epoch: epoch.validation.macro_f1,
    SPARSITY: lambda epoch: epoch.sparsity,
}


def epochs_chart(name: str, table: TableData, ids: Mapping[str, str]) -> Chart | None:
    """Loss, macro-F1 and sparsity against epochs, a panel each: means over seeds, as
    far as all of them go. Nothing where no epoch is known.
    """
    panels = []
    shown: set[str] = set()
    for title, value in CURVES.items():
        lines = [
            (row, mean_line([_values(history, value) for history in row.histories]))
            for row in table.rows
        ]
        lines = [(r, line) for r, line in lines if any(y is not None for _, y in line)]
        if lines and (title != SPARSITY or _rises(line for _, line in lines)):
            panels.append(_panel(title, lines, ids))
            shown |= {row.row.strategy for row, _ in lines}
    rows = [row for row in table.rows if row.row.strategy in shown]
    if not rows:
        return None
    rounds = any(e.loops for row in rows for h in row.histories for e in h)
    note = "Means over seeds, as far as all of them go."
    note += " Epochs are counted over all rounds." if rounds else ""
    return legend_chart(name, "epoch by epoch", note, panels, rows, ids)


def _rises(lines: Iterable[Line]) -> bool:
    return any(y for line in lines for _, y in line)


def _values(
    history: Sequence[EpochRow], value: Callable[[EpochRow], float | None]
) -> Line:
    return [(float(i), value(epoch)) for i, epoch in enumerate(history)]


def _panel(
    title: str, lines: Sequence[tuple[RowData, Line]], ids: Mapping[str, str]
) -> Panel:
    ys = [y for _, line in lines for _, y in line if y is not None]
    xs = [x for _, line in lines for x, _ in line]
    across = linear_scale(xs, LEFT, WIDTH - RIGHT, from_zero=True, whole=True)
    up = linear_scale(ys, HEIGHT - BOTTOM, TOP)
    return Panel(
        title=title,
        label=f"{title} against epochs, a line for each row",
        width=WIDTH,
        height=HEIGHT,
        x_label="epoch",
        y_label="",
        x_ticks=[Tick(across(t), f"{t:g}") for t in across.ticks],
        y_ticks=ticks_of(up),
        curves=[
            Curve(ids[row.row.strategy], _path(line, across, up), colour_of(row))
            for row, line in lines
        ],
    )


def _path(line: Line, across: Scale, up: Scale) -> str:
    """Straight from epoch to epoch; what wasn't measured leaves a gap."""
    parts, drawing = [], False
    for x, y in line:
        if y is not None:
            place = f"{across(x):g} {up(y):g}"
            # A line of no length: with round ends, a point that stands alone is seen.
            parts.append(f"L{place}" if drawing else f"M{place}h0")
        drawing = y is not None
    return "".join(parts)
