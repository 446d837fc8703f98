"""Which rows of a table nothing beats on both score and a cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, Any]

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


def describe_fronts(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The fronts of mean test macro-F1 against the mean of each of `COSTS`.

    Rows whose seeds aren't all done or whose audit failed take no part, nor do floors,
    which train no network, nor rows whose cost wasn't measured on every seed.

    Returns
    -------
    dict
        By cost: `of`, the strategies that take part, in the order of `rows`; `rows`,
        those on the front, the best by the cost first; `differs`, whether the cost
        tells rows apart at all. Latency, which is never twice the same, does so where
        networks differ in their dense multiply-adds.
    """
    sound = [row for row in rows if _is_sound(row)]
    return {cost: _describe(cost, sound) for cost in COSTS}


def _is_sound(row: Mapping[str, Any]) -> bool:
    return (
        not row["floor"]
        and row["audit"] != "flagged"
        and row["done"] == row["cells"]
        and _is_whole(row, row["macro_f1"])
    )


def _is_whole(row: Mapping[str, Any], summary: Mapping[str, Any] | None) -> bool:
    """Whether a figure was measured on every seed."""
    return summary is not None and summary["n"] == row["done"]


def _figure(row: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None
    found = row[key] if key in row else (row["size"] or {}).get(key)
    return found


def _describe(cost: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    taking = [row for row in rows if _is_whole(row, _figure(row, cost))]
    points = [(_cost_of(row, cost), row["macro_f1"]["mean"]) for row in taking]
    on_it = [
        (point, row["strategy"])
        for point, row, is_on in zip(points, taking, pareto_front(points), strict=True)
        if is_on
    ]
    return {
        "of": [row["strategy"] for row in taking],
        "rows": [strategy for _, strategy in sorted(on_it)],
        "differs": _differs(cost, taking),
    }


def _cost_of(row: Mapping[str, Any], cost: str) -> float:
    summary = _figure(row, cost)
    assert summary is not None
    mean = float(summary["mean"])
    return -mean if cost in _MORE_IS_BETTER else mean


def _differs(cost: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    figures = [_figure(row, "dense_macs" if cost == LATENCY else cost) for row in rows]
    return len({figure["mean"] for figure in figures if figure}) > 1
