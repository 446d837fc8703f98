"""Which share of the records was trained on, epoch by epoch."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from harness.report.plots.lines import draw_mean, draw_seeds
from harness.report.plots.palette import MARK, label_of
from harness.report.plots.style import add_legend, as_whole_numbers, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.report.plots.lines import Line
    from harness.report.plots.table_data import RowData, TableData
    from harness.results.schema import EpochRow

COLUMNS = 3
MOST_CLASSES = 12


def draw(table: TableData) -> Figure | None:
    """The kept share of all records and of each class; rows that keep everything are
    left out.
    """
    rows = [row for row in table.rows if any(map(_drops, row.histories))]
    if not rows:
        return None
    names = _classes(table.classes, rows)
    lines = ceil(len(names) / COLUMNS)
    figure = new_figure(3.2 + 1.7 * lines, f"{table.title}: records trained on")
    parts: Any = [figure]
    if lines:
        parts = figure.subfigures(2, 1, height_ratios=(3, 1.7 * lines))
    top = parts[0].subplots()
    legend: dict[str, Artist] = {}
    for row in rows:
        legend |= draw_seeds(top, row, [_share(h) for h in row.histories])
    _dress(top, "kept share", _axis(rows))
    if lines:
        grid = {"sharex": True, "sharey": True, "squeeze": False}
        panels = parts[1].subplots(lines, COLUMNS, **grid)
        _draw_classes(list(panels.flat), rows, names)
    add_legend(figure, legend)
    return figure


def _drops(history: Sequence[EpochRow]) -> bool:
    return any(e.kept_share is not None and e.kept_share < 1 for e in history)


def _classes(classes: Sequence[str], rows: Sequence[RowData]) -> list[str]:
    """Classes in the order of the data set, as far as histories know them; so many
    that each can be seen.
    """
    epochs = (e for row in rows for history in row.histories for e in history)
    known = {name for e in epochs for name in e.kept_share_by_class}
    return [name for name in classes if name in known][:MOST_CLASSES]


def _share(history: Sequence[EpochRow]) -> Line:
    return [(float(i), e.kept_share) for i, e in enumerate(history)]


def _share_of(history: Sequence[EpochRow], name: str) -> Line:
    return [(float(i), e.kept_share_by_class.get(name)) for i, e in enumerate(history)]


def _axis(rows: Sequence[RowData]) -> str:
    several = any(e.loops for row in rows for h in row.histories for e in h)
    return "epoch, counted over all rounds" if several else "epoch"


def _draw_classes(
    panels: list[Axes], rows: Sequence[RowData], names: Sequence[str]
) -> None:
    for panel, name in zip(panels, names, strict=False):
        panel.set_title(label_of(name, 30), fontsize=9, color=MARK)
        for row in rows:
            means = [_share_of(history, name) for history in row.histories]
            draw_mean(panel, row, means, linewidth=1.2, markersize=2.5)
        _dress(panel, most_ticks=4)
        panel.set_yticks([0.0, 0.5, 1.0])
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    for panel in panels[: len(names)][-COLUMNS:]:
        panel.tick_params(labelbottom=True)


def _dress(panel: Axes, y: str = "", x: str = "", most_ticks: int = 9) -> None:
    panel.set_ylim(-0.03, 1.05)
    panel.set_ylabel(y)
    panel.set_xlabel(x)
    as_whole_numbers(panel.xaxis, most_ticks)
