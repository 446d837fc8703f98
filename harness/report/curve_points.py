"""States of the weights on the way, as points over seeds: what each is worth and how
large it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.frame import CellResult
    from harness.results.cost_schema import Size
    from harness.results.schema import Snapshot

ROUND = "round"
"""The axis of a series of prunings."""
BEFORE_RETRAINING = "pruned"
"""The snapshot of a round's weights right after they were pruned."""
BEFORE_REVISION, AFTER_REVISION = "before-revision", "after-revision"

STORED = ("values", "index", "other", "total", "dense_total")

Point = dict[str, Any]


def curve_points(cells: Sequence[CellResult]) -> list[Point]:
    """The snapshots of a row, each once, by name and axes.

    Returns
    -------
    list of dict
        `snapshot`, `axes`; `macro_f1` and `accuracy` on the test split; the figures of
        `size`; `latency_seconds`. Each figure over the seeds that have it: `mean`,
        `spread` (None for one seed), `n`; None where no seed has it.
    """
    found: dict[tuple[str, tuple[tuple[str, float], ...]], list[Point]] = {}
    for cell in cells:
        latency = cell.measured.latency_seconds.snapshots if cell.measured else {}
        for snapshot in cell.result.snapshots if cell.result else []:
            key = snapshot.name, tuple(sorted(snapshot.axes.items()))
            found.setdefault(key, []).append(_figures(snapshot, latency))
    return [
        {"snapshot": name, "axes": dict(axes), **_over_seeds(found[name, axes])}
        for name, axes in sorted(found)
    ]


def final_size(cells: Sequence[CellResult]) -> dict[str, Any] | None:
    """The figures of the final weights over seeds; None where no cell has any."""
    figures = [
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


def last_layers(cells: Sequence[CellResult]) -> list[dict[str, Any]]:
    """The prunable layers of rows with rounds, in the order of the network.

    Returns
    -------
    list of dict
        `layer`; over seeds `first` and `last`, its weights that aren't zero in the
        retrained network of the first round and of the last.
    """
    series = [_retrained(cell) for cell in cells]
    ends = [(found[0], found[-1]) for found in series if found]
    names = next(
        (c.result.size.layers for c in cells if c.result and c.result.size), []
    )
    return [
        {
            "layer": name,
            "first": slim(first.remaining_by_layer.get(name) for first, _ in ends),
            "last": slim(last.remaining_by_layer.get(name) for _, last in ends),
        }
        for name in names
        if ends
    ]


def is_retrained(point: Mapping[str, Any]) -> bool:
    """Whether a point is that of a round's network at the end of its training."""
    others = BEFORE_RETRAINING, BEFORE_REVISION, AFTER_REVISION
    return ROUND in point["axes"] and point["snapshot"] not in others


def slim(values: Iterable[float | None]) -> dict[str, Any] | None:
    """`summarise` without the range."""
    summary = summarise(values)
    return summary and {key: summary[key] for key in ("mean", "spread", "n")}


def _retrained(cell: CellResult) -> list[Size]:
    """Sizes of a cell's retrained networks, round by round."""
    if cell.result is None:
        return []
    found = [
        s
        for s in cell.result.snapshots
        if s.size and is_retrained({"snapshot": s.name, "axes": s.axes})
    ]
    found.sort(key=lambda s: s.axes[ROUND])
    return [s.size for s in found if s.size]


def _figures(snapshot: Snapshot, latency: Mapping[str, float | None]) -> Point:
    return {
        "macro_f1": snapshot.test.macro_f1,
        "accuracy": snapshot.test.accuracy,
        **_size(snapshot.size),
        "latency_seconds": latency.get(snapshot.file),
    }


def _size(size: Size | None) -> Point:
    keys = (
        *("parameters", "prunable", "remaining", "sparsity", "reduction_factor"),
        *("dense_macs", "sparse_macs"),
    )
    stored = size.stored_bytes if size else None
    return {
        **{key: getattr(size, key) if size else None for key in keys},
        **{f"stored_{k}": getattr(stored, k) if stored else None for k in STORED},
    }


def _over_seeds(points: Sequence[Point]) -> Point:
    return {key: slim(point[key] for point in points) for key in points[0]}
