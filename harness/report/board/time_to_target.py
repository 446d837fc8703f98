"""What a row computed until it scored as the baseline does.

Time to a target quality is how MLPerf measures training (Mattson et al., "MLPerf
Training Benchmark", MLSys 2020, section 3.1); the target is the baseline's own best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.board.parts import TimeToTarget
from harness.report.board.row import training_flops
from harness.report.board.snapshot_curves import ROUND
from harness.report.board.summary import summarise

if TYPE_CHECKING:
    from harness.report.read import CellResult
    from harness.results.schema import EpochRow

ReadHistory = Callable[[str], Sequence["EpochRow"]]
"""Gives the epochs of a done cell, by its id; none where they aren't known."""


@dataclass(frozen=True)
class Goal:
    """The baseline's best validation macro-F1, and the training FLOPs up to the first
    epoch that had it; None: not measured.
    """

    macro_f1: float
    flops: float | None


def goals_of(
    cells: Iterable[CellResult], baseline: str | None, history: ReadHistory | None
) -> dict[int, Goal]:
    """What is to be reached, by seed: by the cells of the row called `baseline` whose
    history is known.
    """
    found = {}
    for cell in cells:
        epochs = _judged(cell, history) if cell.cell.strategy == baseline else []
        if epochs:
            score, epoch = max(epochs, key=lambda pair: pair[0])
            found[cell.cell.seed] = Goal(score, _spent(cell, epoch))
    return found


def time_to_target(
    cells: Sequence[CellResult],
    goals: Mapping[int, Goal],
    history: ReadHistory | None,
) -> TimeToTarget | None:
    """How much a row's cells trained until they first scored as their seed's goal.

    Where a row has rounds, its last one counts, with the cost of all before it: what
    an earlier round trained isn't the network that the row stands for.

    None for floors, and where no seed can be compared.
    """
    reached, seeds = [], 0
    for cell in cells:
        goal = goals.get(cell.cell.seed)
        epochs = _judged(cell, history) if goal and cell.cell.model else []
        if goal is None or not epochs:
            continue
        seeds += 1
        there = next((e for score, e in epochs if score >= goal.macro_f1), None)
        if there is not None:
            reached.append((there, _spent(cell, there), goal.flops))
    if not seeds:
        return None
    return TimeToTarget(
        seeds=seeds,
        reached=len(reached),
        effective_epochs=summarise(e.effective_epochs for e, _, _ in reached),
        training_flops=summarise(flops for _, flops, _ in reached),
        relative_compute=summarise(
            flops / goal if flops is not None and goal else None
            for _, flops, goal in reached
        ),
    )


def _judged(
    cell: CellResult, history: ReadHistory | None
) -> list[tuple[float, EpochRow]]:
    """Validation macro-F1 of the epochs of the last round, where it's known."""
    if cell.result is None or history is None:
        return []
    epochs = history(cell.cell.id)
    last = max((e.loops.get(ROUND, 0) for e in epochs), default=0)
    return [
        (epoch.validation.macro_f1, epoch)
        for epoch in epochs
        if epoch.loops.get(ROUND, 0) == last and epoch.validation.macro_f1 is not None
    ]


def _spent(cell: CellResult, epoch: EpochRow) -> float | None:
    """Training FLOPs up to an epoch, with all of what the cell requires."""
    result = cell.result
    if result is None or result.cost.flops is None:
        return None
    own, total = result.cost.flops.training, training_flops(result)
    if own is None or total is None or not epoch.flops or epoch.flops < 1:
        return None
    return max(0, total - own) + epoch.flops
