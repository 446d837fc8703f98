"""The points of a row as series: round by round, and on both sides of a revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.report.curve_points import (
    AFTER_REVISION,
    BEFORE_RETRAINING,
    BEFORE_REVISION,
    ROUND,
    is_retrained,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Point = dict[str, Any]


@dataclass(frozen=True)
class Round:
    """A round of pruning: its network before and after retraining, None if not kept."""

    number: float
    retrained: Point | None
    pruned: Point | None

    @property
    def size(self) -> Point:
        """Whichever of them there is: retraining changes no size."""
        found = self.retrained or self.pruned
        assert found is not None
        return found


@dataclass(frozen=True)
class Revision:
    """The weights before and after a revision, of the last round where there are
    several.
    """

    axes: Mapping[str, float]
    before: Point | None
    after: Point | None


def rounds_of(row: Mapping[str, Any]) -> list[Round]:
    """The rounds of a row, in order; none for one that has no such snapshots."""
    retrained: dict[float, Point] = {}
    pruned: dict[float, Point] = {}
    for point in row["curve"]:
        if is_retrained(point):
            retrained[point["axes"][ROUND]] = point
        elif point["snapshot"] == BEFORE_RETRAINING and ROUND in point["axes"]:
            pruned[point["axes"][ROUND]] = point
    numbers = sorted({*retrained, *pruned})
    return [Round(n, retrained.get(n), pruned.get(n)) for n in numbers]


def revision_of(row: Mapping[str, Any]) -> Revision | None:
    """The last revision of a row; None where there is none."""
    found: dict[tuple[tuple[str, float], ...], dict[str, Point]] = {}
    for point in row["curve"]:
        if point["snapshot"] in (BEFORE_REVISION, AFTER_REVISION):
            axes = tuple(sorted(point["axes"].items()))
            found.setdefault(axes, {})[point["snapshot"]] = point
    if not found:
        return None
    last = max(found)
    sides = found[last]
    return Revision(dict(last), sides.get(BEFORE_REVISION), sides.get(AFTER_REVISION))
