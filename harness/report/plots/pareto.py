"""Who is better at what cost: test macro-F1 against compute."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter

from harness.report.board.pareto import LINEAR_UP_TO
from harness.report.plots.palette import MARK
from harness.report.plots.style import add_legend, as_multiples, new_panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.report.plots.table_data import RowData, TableData

NEAR = (0.02, 0.045)
"""How near points are, as shares of the axes, whose letters would meet."""


def draw(table: TableData) -> Figure | None:
    """Mean test macro-F1 with its spread over seeds against mean compute, of the rows
    that take part in the front; nothing where there are no two.

    Rows on the front are filled and joined by steps: between two of them nothing was
    measured, so that a step promises no more than they do.
    """
    rows = [row for row in table.rows if row.row.strategy in table.compared]
    if len(rows) < 2:
        return None
    figure, panel = new_panel(4.2, f"{table.title}: macro-F1 against compute")
    legend: dict[str, Artist] = {}
    on_it = [row for row in rows if row.row.strategy in table.front]
    for i, row in enumerate(rows):
        legend |= _draw_row(panel, row, _letter(i), row in on_it)
    legend |= _draw_front(panel, [row.place for row in on_it])
    costs = [row.place[0] for row in rows]
    # What cost nothing has a place on a linear axis only.
    if min(costs) > 0 and max(costs) > LINEAR_UP_TO * min(costs):
        panel.set_xscale("log")
        as_multiples(panel.xaxis)
    else:
        widest = max(costs) or 1.0
        panel.set_xlim(-0.02 * widest, 1.06 * widest)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    _write_letters(panel, [row.place for row in rows])
    panel.set_xlabel("training FLOPs / the baseline's (less is better)")
    panel.set_ylabel("macro-F1, test: mean and spread over seeds")
    add_legend(figure, legend)
    return figure


def _letter(number: int) -> str:
    """a, b, ... z, a1, b1, ...: tells rows apart where colours don't."""
    turn, i = divmod(number, len(ascii_lowercase))
    return f"{ascii_lowercase[i]}{turn or ''}"


def _write_letters(panel: Axes, places: Sequence[tuple[float, float]]) -> None:
    """Each beside its point; where points meet, side by side."""
    # It fits the axes to what they hold.
    panel.get_xlim(), panel.get_ylim()
    shares = (panel.transScale + panel.transLimits).transform(places)
    groups: dict[int, list[str]] = {}
    for i, (x, y) in enumerate(shares):
        first = next(
            (
                j
                for j in groups
                if abs(shares[j][0] - x) < NEAR[0] and abs(shares[j][1] - y) < NEAR[1]
            ),
            i,
        )
        groups.setdefault(first, []).append(_letter(i))
    for i, letters in groups.items():
        panel.annotate(
            " ".join(letters),
            places[i],
            xytext=(6, 3),
            textcoords="offset points",
            zorder=5,
        )


def _draw_row(panel: Axes, row: RowData, letter: str, is_on: bool) -> dict[str, Artist]:
    x, y = row.place
    spread = row.spread
    if spread:
        panel.plot([x, x], [y - spread, y + spread], color=row.colour, linewidth=1.1)
    (artist,) = panel.plot(
        [x],
        [y],
        color=row.colour,
        marker=row.marker,
        markersize=7,
        markerfacecolor=row.colour if is_on else "white",
        linestyle="",
        zorder=4 if is_on else 3,
    )
    return {f"{letter}  {row.label}": artist}


def _draw_front(panel: Axes, places: list[tuple[float, float]]) -> dict[str, Artist]:
    xs, ys = zip(*sorted(places), strict=True)
    (line,) = panel.plot(
        xs, ys, color=MARK, linewidth=1.2, drawstyle="steps-post", zorder=1
    )
    return {"the front (filled): no row is better and cheaper": line}
