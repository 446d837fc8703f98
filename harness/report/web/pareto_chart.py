"""Who is better at what cost: macro-F1 against compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.board.pareto import LINEAR_UP_TO
from harness.report.render.format import mean_of, plain, plural, ratio, score
from harness.report.web.chart import (
    BOTTOM,
    LEFT,
    MARKERS,
    RIGHT,
    TOP,
    Chart,
    Panel,
    Point,
    Scale,
    Tick,
    colour_of,
    legend_chart,
    linear_scale,
    logarithmic_scale,
    ticks_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.report.board.board import Row
    from harness.report.plots.table_data import RowData, TableData

WIDTH, HEIGHT = 520.0, 330.0
NOTE = (
    "Bars are the spread over seeds. The stepped line is the Pareto front: no row's "
    "mean is better at no more compute, which may be chance, as any lead may be. "
    "Hollow: seeds are missing, or the cost failed its audit. Floors, and rows whose "
    "compute wasn't measured, aren't shown."
)
LABEL = (
    "Test macro-F1 against compute. Each point is a row of the table, which gives the "
    "same figures; the stepped line joins those that no other row beats on both."
)


def front_chart(
    name: str, table: TableData, ids: Mapping[str, str], front: Collection[str]
) -> Chart | None:
    """Mean test macro-F1, with its spread, against mean compute of each row; nothing
    where there are no two to compare.

    Parameters
    ----------
    ids
        Of the rows' parts of the page, by strategy.
    front
        Strategies on the front.
    """
    rows = [row for row in table.rows if _is_placed(row)]
    if len(rows) < 2:
        return None
    places = [row.place for row in rows]
    costs, spreads = [x for x, _ in places], [row.spread for row in rows]
    ends = (LEFT, WIDTH - RIGHT)
    # What cost nothing has a place on a linear axis only.
    if min(costs) > 0 and max(costs) > LINEAR_UP_TO * min(costs):
        across = logarithmic_scale(costs, *ends)
    else:
        across = linear_scale(costs, *ends, from_zero=True)
    heights = [
        y + s * d for (_, y), s in zip(places, spreads, strict=True) for d in (-1, 1)
    ]
    up = linear_scale(heights, HEIGHT - BOTTOM, TOP)
    points = [
        _point(row, ids[row.row.strategy], across, up, row.row.strategy in front)
        for row in rows
    ]
    on_front = sorted(
        place
        for row, place in zip(rows, places, strict=True)
        if row.row.strategy in front
    )
    panel = Panel(
        title="",
        label=LABEL,
        width=WIDTH,
        height=HEIGHT,
        x_label="training FLOPs / the baseline's (less is better)",
        y_label="macro-F1, test",
        x_ticks=[Tick(across(t), f"{t:g}x") for t in across.ticks],
        y_ticks=ticks_of(up),
        points=points,
        front=_steps([(across(x), up(y)) for x, y in on_front]),
    )
    return legend_chart(name, "macro-F1 against compute", NOTE, [panel], rows, ids)


def _is_placed(row: RowData) -> bool:
    return bool(row.row.figure("relative_compute") and row.row.figure("macro_f1"))


def _point(row: RowData, part: str, across: Scale, up: Scale, on_front: bool) -> Point:
    x, y = row.place
    spread = row.spread
    whole = row.row.rank is not None and row.row.audit != "flagged"
    return Point(
        row=part,
        text=_tell(row.row, on_front=on_front),
        x=across(x),
        y=up(y),
        spread=(up(y - spread), up(y + spread)) if spread else None,
        colour=colour_of(row),
        marker=MARKERS[row.marker],
        hollow=not whole,
    )


def _tell(row: Row, *, on_front: bool) -> str:
    """What a point stands for, in lines."""
    quality = row.figure("macro_f1")
    seeds = plural(quality.n if quality else 0, "seed")
    lines = [
        plain(row.strategy),
        f"macro-F1 {score(quality)} ({seeds})",
        f"compute {mean_of(row.figure('relative_compute'), ratio)}",
    ]
    if on_front:
        lines.append("no row is better and cheaper")
    if row.done < row.cells:
        lines.append(f"{row.done} of {plural(row.cells, 'seed')} done")
    if row.audit == "flagged":
        lines.append("⚠ its cost failed the audit")
    return "\n".join(lines)


def _steps(points: Sequence[tuple[float, float]]) -> str:
    """Between two rows nothing was measured: a step promises no more than they do."""
    if len(points) < 2:
        return ""
    (x, y), *others = points
    return f"M{x:g} {y:g}" + "".join(f"H{x:g}V{y:g}" for x, y in others)
