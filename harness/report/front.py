"""Which rows of a table nothing beats on both score and compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Row = dict[str, Any]


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


def front_of(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The strategies on the front of mean macro-F1 against mean compute.

    Rows whose seeds aren't all done, whose compute wasn't measured or failed its audit,
    and floors, which train no network, take no part.
    """
    taking = [
        row
        for row in rows
        if row["rank"] is not None
        and not row["floor"]
        and row["audit"] != "flagged"
        and row["relative_compute"]
    ]
    points = [(r["relative_compute"]["mean"], r["macro_f1"]["mean"]) for r in taking]
    found = zip(taking, pareto_front(points), strict=True)
    return {str(row["strategy"]) for row, is_on in found if is_on}
