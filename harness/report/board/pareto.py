"""Which rows of a table nothing beats on both score and a cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.board.parts import Front

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.board.board import Row
    from harness.report.board.parts import Summary

COMPUTE = "relative_compute"
LATENCY = "latency_seconds"
COSTS = (COMPUTE, "peak_memory_bytes", "sparsity", LATENCY)
"""What fronts are made of, by the key of the figure."""
LINEAR_UP_TO = 8.0
"""How many times more the dearest row may compute than the cheapest, on an axis that
begins at 0.
"""
_MORE_IS_BETTER = frozenset({"sparsity"})


def pareto_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which of the points (cost, score) are on the front: no other point costs no more
    and scores no less, one of the two strictly. Equal points are on it together.

    >>> pareto_front([(1.0, 0.8), (0.5, 0.7), (0.6, 0.7)])
    [True, True, False]
    """
    return [
        not any(_beats(other, point) for other in points if other is not point)
        for point in points
    ]


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] >= other[1]


def describe_fronts(rows: Sequence[Row]) -> dict[str, Front]:
    """The fronts of mean test macro-F1 against the mean of each of `COSTS`, by cost.

    Rows whose seeds aren't all done or whose audit failed take no part, nor do floors,
    which train no network, nor rows whose cost wasn't measured on every seed. Latency,
    which is never twice the same, tells rows apart where networks differ in their dense
    multiply-adds.
    """
    sound = [row for row in rows if _is_sound(row)]
    return {cost: _front(cost, sound) for cost in COSTS}


def _is_sound(row: Row) -> bool:
    return (
        not row.floor
        and row.audit != "flagged"
        and row.done == row.cells
        and _is_whole(row, row.figures["macro_f1"])
    )


def _is_whole(row: Row, summary: Summary | None) -> bool:
    """Whether a figure was measured on every seed."""
    return summary is not None and summary.n == row.done


def _figure(row: Row, key: str) -> Summary | None:
    return row.figures[key] if key in row.figures else (row.size or {}).get(key)


def _front(cost: str, rows: Sequence[Row]) -> Front:
    taking = [row for row in rows if _is_whole(row, _figure(row, cost))]
    points = [(_cost_of(row, cost), _mean(row.figures["macro_f1"])) for row in taking]
    on_it = [
        (point, row.strategy)
        for point, row, is_on in zip(points, taking, pareto_front(points), strict=True)
        if is_on
    ]
    return Front(
        of=[row.strategy for row in taking],
        rows=[strategy for _, strategy in sorted(on_it)],
        differs=_differs(cost, taking),
    )


def _mean(summary: Summary | None) -> float:
    assert summary is not None
    return float(summary.mean)


def _cost_of(row: Row, cost: str) -> float:
    mean = _mean(_figure(row, cost))
    return -mean if cost in _MORE_IS_BETTER else mean


def _differs(cost: str, rows: Sequence[Row]) -> bool:
    figures = [_figure(row, "dense_macs" if cost == LATENCY else cost) for row in rows]
    return len({figure.mean for figure in figures if figure}) > 1
