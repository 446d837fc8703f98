"""What rounds and revisions did to the weights, as markdown tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.board.snapshot_curves import Revision, Round, revision_of, rounds_of
from harness.report.render.blocks import folded, grid
from harness.report.render.format import (
    amount,
    engineering,
    escape,
    escape_html,
    mean_of,
    memory,
    milliseconds,
    percent,
    plural,
    score,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.board.board import Row, SnapshotPoint
    from harness.report.board.parts import Summary

_ROUND_HEADINGS = (
    "round",
    "reduction factor",
    "sparsity",
    "macro-F1",
    "before retraining",
    "stored",
    "sparse MACs",
    "dense MACs",
    "latency",
)
ABOUT_ROUNDS = (
    "Each round's network at the end of its training, on the test split; *before "
    "retraining* is right after it was pruned. Reduction factor: prunable weights as "
    "built / those that aren't zero. Stored: values, index and all else. Sparse "
    "multiply-adds skip every zero weight, which is theoretical: dense kernels compute "
    "with zeros as with any number, so unstructured zeros make nothing faster. Latency "
    "is measured on dense kernels, of one record at a time."
)
ABOUT_REVISIONS = (
    "Test macro-F1 of the weights on both sides of the last, full epochs. By which of "
    "them a row is ranked is decided by the budget's rule, on the validation split."
)


def rounds_blocks(rows: Sequence[Row]) -> list[str]:
    """A table that folds away for each row with rounds; nothing where none has any."""
    found = [(row, rounds_of(row)) for row in rows]
    found = [(row, rounds) for row, rounds in found if rounds]
    if not found:
        return []
    tables = [block for row, rounds in found for block in _folded(row, rounds)]
    return ["**Round by round**", ABOUT_ROUNDS, *tables]


def _folded(row: Row, rounds: list[Round]) -> list[str]:
    title = f"{escape_html(row.strategy)}: {plural(len(rounds), 'round')}"
    return folded(title, grid(map(_round_line, rounds), _ROUND_HEADINGS))


def _round_line(one: Round) -> list[str]:
    size = one.size
    return [
        f"{one.number:g}",
        mean_of(size.figure("reduction_factor"), lambda v: f"{amount(v)}x"),
        mean_of(size.figure("sparsity"), percent),
        score(_macro_f1(one.retrained)),
        score(_macro_f1(one.pruned)),
        mean_of(size.figure("stored_total"), memory),
        mean_of(size.figure("sparse_macs"), _prefixed),
        mean_of(size.figure("dense_macs"), _prefixed),
        mean_of(size.figure("latency_seconds"), milliseconds),
    ]


def _prefixed(value: float) -> str:
    return engineering(value, "").strip()


def _macro_f1(point: SnapshotPoint | None) -> Summary | None:
    return point.figure("macro_f1") if point else None


def revision_blocks(rows: Sequence[Row]) -> list[str]:
    """A table of the rows with a revision; nothing where none has one."""
    found = [(row, revision_of(row)) for row in rows]
    lines = [_revision_line(row, one) for row, one in found if one]
    if not lines:
        return []
    headings = "strategy", "before revision", "after revision"
    table = grid(lines, headings, ("strategy",))
    return ["**Before and after revision**", ABOUT_REVISIONS, table]


def _revision_line(row: Row, revision: Revision) -> list[str]:
    place = ", ".join(f"{escape(k)} {v:g}" for k, v in revision.axes.items())
    return [
        escape(row.strategy) + (f" ({place})" if place else ""),
        score(_macro_f1(revision.before)),
        score(_macro_f1(revision.after)),
    ]
