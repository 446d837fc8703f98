"""Where the weights that are left stand in the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness.report.board.snapshot_curves import rounds_of
from harness.report.plots.palette import FAINT, label_of
from harness.report.plots.style import (
    add_legend,
    as_amounts,
    as_whole_numbers,
    new_figure,
)
from harness.report.render.format import amount

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    from harness.report.plots.table_data import RowData, TableData


def draw(table: TableData) -> Figure | None:
    """Remaining weights of each prunable layer in the network of the last round."""
    rows = [row for row in table.rows if _counts(row, "last")]
    if not rows:
        return None
    figure = new_figure(4.2, f"{table.title}: weights left, layer by layer")
    panel = figure.subplots()
    legend: dict[str, Artist] = {}
    dense = _counts(rows[0], "first")
    if dense:
        (line,) = panel.plot(*dense, color=FAINT, linewidth=2.5)
        legend["first round"] = line
    for row in rows:
        (line,) = panel.plot(
            *_counts(row, "last"),
            color=row.colour,
            marker=row.marker,
            markersize=3.5,
            linewidth=1.2,
        )
        legend[_label(row)] = line
    # Down to 0, where a layer has none left, which a logarithm can't show.
    panel.set_yscale("symlog", linthresh=1, linscale=0.4)
    panel.set_ylim(bottom=0)
    as_amounts(panel.yaxis)
    panel.set_xlabel("layer, from the input on")
    panel.set_ylabel("weights that aren't zero")
    as_whole_numbers(panel.xaxis)
    add_legend(figure, legend)
    return figure


def _counts(
    row: RowData, which: Literal["first", "last"]
) -> tuple[list[int], list[float]] | tuple[()]:
    """Numbers of layers, from 1, and the mean of their weights over seeds."""
    found = [
        (number, counts)
        for number, layer in enumerate(row.row.layers, start=1)
        if (counts := layer.first if which == "first" else layer.last)
    ]
    if not found:
        return ()
    return [number for number, _ in found], [counts.mean for _, counts in found]


def _label(row: RowData) -> str:
    last = [r.retrained for r in rounds_of(row.row) if r.retrained]
    factor = last[-1].figure("reduction_factor") if last else None
    return label_of(f"{row.label}, {amount(factor.mean)}x" if factor else row.label)
