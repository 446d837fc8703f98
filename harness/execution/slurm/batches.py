"""Which missing cells become jobs, and which of them share an array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.cell import Cell
from harness.execution.slurm.requested import Resources
from harness.execution.slurm.submitted import CellJobs
from harness.plan.plan import PlannedCell

LARGEST_ARRAY = 1000
"""SLURM's own default."""


@dataclass(frozen=True)
class Batch:
    """Cells of one array: they want the same resources, after the same cells.

    Attributes
    ----------
    after
        Ids of the cells that must be done first, and aren't.
    """

    cells: Sequence[Cell]
    options: Mapping[str, str | int | bool]
    after: Sequence[str]


@dataclass(frozen=True)
class Missing:
    """What a suite's unfinished cells come down to.

    Attributes
    ----------
    batches
        To be submitted, in this order.
    followed
        Cells whose jobs wait or work already.
    outdated
        Jobs to be cancelled: what they wait for will never come, and their cells are
        submitted again.
    elsewhere
        Cells that another run, which is no job, works on.
    out_of_reach
        Cells that require one that isn't done and has no job.
    """

    batches: Sequence[Batch]
    followed: Sequence[Cell]
    outdated: Sequence[str]
    elsewhere: Sequence[Cell]
    out_of_reach: Sequence[Cell]


def missing_cells(
    cells: Sequence[PlannedCell], jobs: CellJobs, resources: Resources
) -> Missing:
    """Divide a plan's cells, which stand in an order that can run.

    An array's elements depend on the same jobs: SLURM knows no dependency of a single
    element, and one that is added later could be lost on the way.
    """
    done = {p.cell.id for p in cells if p.state == "done"}
    coming: dict[str, int] = {}
    followed: list[Cell] = []
    outdated: list[str] = []
    elsewhere: list[Cell] = []
    unreachable: list[Cell] = []
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for planned in (p for p in cells if p.state != "done"):
        cell, job = planned.cell, jobs.live(planned.cell.id)
        if planned.state == "running" and job is None:
            elsewhere.append(cell)
            continue
        needs = sorted({c.id for c in cell.requires.values()} - done)
        if not all(need in coming for need in needs):
            unreachable.append(cell)
            continue
        level = max((coming[need] for need in needs), default=0)
        # The job that it waits for is over, and was no success: this is another one.
        stuck = level > 0
        if job and not stuck:
            followed.append(cell)
            coming[cell.id] = 0
            continue
        if job:
            outdated.append(job.id)
        coming[cell.id] = level + 1
        key = (tuple(resources.options(cell).items()), tuple(needs))
        groups.setdefault(key, []).append(cell)
    ordered = sorted(groups.values(), key=lambda group: coming[group[0].id])
    batches = [b for group in ordered for b in _batches(group, done, resources)]
    return Missing(batches, followed, outdated, elsewhere, unreachable)


def _batches(
    group: Sequence[Cell], done: Iterable[str], resources: Resources
) -> list[Batch]:
    first = group[0]
    after = sorted({c.id for c in first.requires.values()} - set(done))
    options = resources.options(first)
    parts = (group[i : i + LARGEST_ARRAY] for i in range(0, len(group), LARGEST_ARRAY))
    return [Batch(part, options, after) for part in parts]
