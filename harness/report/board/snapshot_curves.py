"""States of the weights on the way, as points over seeds: what each is worth and how
large it is; round by round, and on both sides of a revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.board.board import Layer, SnapshotPoint
from harness.report.board.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.board.board import Row
    from harness.report.board.parts import Summary
    from harness.report.read import CellResult
    from harness.results.cost_schema import Size
    from harness.results.schema import Snapshot

    Figures = dict[str, float | None]


ROUND = "round"
"""The axis of a series of prunings."""
BEFORE_RETRAINING = "pruned"
"""The snapshot of a round's weights right after they were pruned."""
BEFORE_REVISION, AFTER_REVISION = "before-revision", "after-revision"

SIZES = (
    *("parameters", "prunable", "remaining", "sparsity", "reduction_factor"),
    *("dense_macs", "sparse_macs"),
)
STORED = ("values", "index", "other", "total", "dense_total")


def curve_points(cells: Sequence[CellResult]) -> list[SnapshotPoint]:
    """The snapshots of a row, each once, by name and axes: each figure over the seeds
    that have it.
    """
    found: dict[tuple[str, tuple[tuple[str, float], ...]], list[Figures]] = {}
    for cell in cells:
        latency = cell.measured.latency_seconds.snapshots if cell.measured else {}
        for snapshot in cell.result.snapshots if cell.result else []:
            key = snapshot.name, tuple(sorted(snapshot.axes.items()))
            found.setdefault(key, []).append(_figures(snapshot, latency))
    return [
        SnapshotPoint(
            snapshot=name, axes=dict(axes), figures=_over_seeds(found[name, axes])
        )
        for name, axes in sorted(found)
    ]


def final_size(cells: Sequence[CellResult]) -> dict[str, Summary | None] | None:
    """The figures of the final weights over seeds; None where no cell has any."""
    figures: list[Figures] = [
        {
            **_size(cell.result.size),
            "latency_seconds": (
                cell.measured.latency_seconds.final if cell.measured else None
            ),
        }
        for cell in cells
        if cell.result and cell.result.size
    ]
    return _over_seeds(figures) if figures else None


def last_layers(cells: Sequence[CellResult]) -> list[Layer]:
    """The prunable layers of rows with rounds, in the order of the network: over seeds
    their weights that aren't zero in the retrained network of the first round and of
    the last.
    """
    series = [_retrained(cell) for cell in cells]
    ends = [(found[0], found[-1]) for found in series if found]
    names = next(
        (c.result.size.layers for c in cells if c.result and c.result.size), []
    )
    return [
        Layer(
            layer=name,
            first=_slim(first.remaining_by_layer.get(name) for first, _ in ends),
            last=_slim(last.remaining_by_layer.get(name) for _, last in ends),
        )
        for name in names
        if ends
    ]


def is_retrained(snapshot: str, axes: Mapping[str, float]) -> bool:
    """Whether a snapshot is that of a round's network at the end of its training."""
    others = BEFORE_RETRAINING, BEFORE_REVISION, AFTER_REVISION
    return ROUND in axes and snapshot not in others


def _slim(values: Iterable[float | None]) -> Summary | None:
    return summarise(values, ranged=False)


def _retrained(cell: CellResult) -> list[Size]:
    """Sizes of a cell's retrained networks, round by round."""
    if cell.result is None:
        return []
    kept = [s for s in cell.result.snapshots if is_retrained(s.name, s.axes)]
    found = sorted(kept, key=lambda s: s.axes[ROUND])
    return [s.size for s in found if s.size]


def _figures(snapshot: Snapshot, latency: Mapping[str, float | None]) -> Figures:
    return {
        "macro_f1": snapshot.test.macro_f1,
        "accuracy": snapshot.test.accuracy,
        **_size(snapshot.size),
        "latency_seconds": latency.get(snapshot.file),
    }


def _size(size: Size | None) -> Figures:
    stored = size.stored_bytes if size else None
    return {
        **{key: getattr(size, key) if size else None for key in SIZES},
        **{f"stored_{k}": getattr(stored, k) if stored else None for k in STORED},
    }


def _over_seeds(points: Sequence[Figures]) -> dict[str, Summary | None]:
    return {key: _slim(point[key] for point in points) for key in points[0]}


@dataclass(frozen=True)
class Round:
    """A round of pruning: its network before and after retraining, None if not kept."""

    number: float
    retrained: SnapshotPoint | None
    pruned: SnapshotPoint | None

    @property
    def size(self) -> SnapshotPoint:
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
    before: SnapshotPoint | None
    after: SnapshotPoint | None


def rounds_of(row: Row) -> list[Round]:
    """The rounds of a row, in order; none for one that has no such snapshots."""
    retrained: dict[float, SnapshotPoint] = {}
    pruned: dict[float, SnapshotPoint] = {}
    for point in row.curve:
        if is_retrained(point.snapshot, point.axes):
            retrained[point.axes[ROUND]] = point
        elif point.snapshot == BEFORE_RETRAINING and ROUND in point.axes:
            pruned[point.axes[ROUND]] = point
    numbers = sorted({*retrained, *pruned})
    return [Round(n, retrained.get(n), pruned.get(n)) for n in numbers]


def revision_of(row: Row) -> Revision | None:
    """The last revision of a row; None where there is none."""
    found: dict[tuple[tuple[str, float], ...], dict[str, SnapshotPoint]] = {}
    for point in row.curve:
        if point.snapshot in (BEFORE_REVISION, AFTER_REVISION):
            axes = tuple(sorted(point.axes.items()))
            found.setdefault(axes, {})[point.snapshot] = point
    if not found:
        return None
    last = max(found)
    sides = found[last]
    return Revision(dict(last), sides.get(BEFORE_REVISION), sides.get(AFTER_REVISION))
