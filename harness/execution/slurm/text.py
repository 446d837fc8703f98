"""SLURM jobs in words: those that would be submitted, and how those that were fare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import click

from harness.cell import Cell
from harness.execution.slurm.batches import Batch, Missing
from harness.execution.slurm.commands import GONE, JobStatus
from harness.execution.slurm.requested import Resources
from harness.execution.slurm.submit import array_of, sbatch_options


def show_missing(
    missing: Missing, suite: str, resources: Resources, notes: Mapping[str, JobStatus]
) -> None:
    """Print what would be submitted: jobs, arrays, resources, dependencies."""
    followed = {c.id: notes[c.id].id for c in missing.followed}
    named = dict(followed)
    for cell in missing.followed:
        click.echo(f"{cell.title}: {job_note(notes[cell.id])}; not submitted again")
    for cell in missing.elsewhere:
        click.echo(f"{cell.title}: another run is at it; not submitted")
    for cell in missing.out_of_reach:
        click.echo(
            f"{cell.title}: not submitted: what it requires isn't done and has no job"
        )
    for i, batch in enumerate(missing.batches, start=1):
        named |= _names(batch, f"#{i}")
        click.echo("\n".join(_lines(batch, f"#{i}", suite, resources, named)))
        click.echo()
    count = sum(len(batch.cells) for batch in missing.batches)
    outdated = shortened(missing.outdated)
    if outdated:
        click.echo(f"{outdated} would be cancelled: what it waits for has failed")
    click.echo(f"{count} jobs would be submitted; nothing was")


def _names(batch: Batch, number: str) -> dict[str, str]:
    """How the jobs would be called, by the id of their cells."""
    if len(batch.cells) == 1:
        return {batch.cells[0].id: number}
    return {cell.id: f"{number}_{i}" for i, cell in enumerate(batch.cells)}


def _lines(
    batch: Batch,
    number: str,
    suite: str,
    resources: Resources,
    named: Mapping[str, str],
) -> Iterator[str]:
    count = len(batch.cells)
    yield f"job {number}" if count == 1 else f"job {number}: an array of {count}"
    for cell in batch.cells:
        yield f"  {named[cell.id]}  {cell.title}{_needs(cell, batch, named)}"
    options = sbatch_options(
        batch, [named[cell] for cell in batch.after], suite, resources
    )
    array = array_of(batch, resources)
    if array:
        options["array"] = array
    flags = (
        f"--{k}" if v is True else f"--{k}={v}" for k, v in sorted(options.items())
    )
    yield f"  sbatch {' '.join(flags)}"
    for line in resources.slurm.setup:
        yield f"  setup: {line}"


def _needs(cell: Cell, batch: Batch, named: Mapping[str, str]) -> str:
    needs = [
        f"{role} {named[c.id]}"
        for role, c in cell.requires.items()
        if c.id in batch.after
    ]
    return f"  (after {', '.join(needs)})" if needs else ""


_ELEMENT = re.compile(r"(\d+)_(\d+)")


def job_note(status: JobStatus) -> str:
    """`queued (job 12_3, Priority)`; empty where SLURM knows the job no longer.

    >>> job_note(JobStatus("12_3", "RUNNING", restarts=1, node="node1"))
    'running on node1 (job 12_3), requeued once'
    """
    if status.state in (GONE, "COMPLETED"):
        return ""
    job = f"job {status.id}"
    if status.state == "PENDING":
        reason = "waits for what it requires"
        told = reason if status.reason == "Dependency" else status.reason
        text = f"queued ({', '.join(x for x in (job, told) if x)})"
    elif status.is_live:
        text = f"{status.state.lower()} on {status.node or 'a node'} ({job})"
    else:
        how = ", ".join(x for x in (job, status.reason) if x)
        text = f"{status.state.lower().replace('_', ' ')} ({how})"
    if not status.restarts:
        return text
    times = "once" if status.restarts == 1 else f"{status.restarts} times"
    return f"{text}, requeued {times}"


def shortened(jobs: Sequence[str]) -> str:
    """Numbers of jobs as SLURM writes them: `jobs 12_[0-3,5], 14`."""
    arrays: dict[str, list[int]] = {}
    for job in jobs:
        element = _ELEMENT.fullmatch(job)
        elements = arrays.setdefault(element[1] if element else job, [])
        if element:
            elements.append(int(element[2]))
    parts = [_array(number, elements) for number, elements in arrays.items()]
    word = "job" if len(jobs) == 1 else "jobs"
    return f"{word} {', '.join(parts)}" if parts else ""


def _array(number: str, elements: Sequence[int]) -> str:
    if len(elements) == 1:
        return f"{number}_{elements[0]}"
    return f"{number}_[{_ranges(elements)}]" if elements else number


def _ranges(numbers: Sequence[int]) -> str:
    """`0-3,5`.

    >>> _ranges([0, 1, 2, 3, 5])
    '0-3,5'
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ",".join("-".join(map(str, run)) for run in runs)
