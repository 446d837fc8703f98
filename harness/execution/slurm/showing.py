"""What would be submitted, for people to read before they do it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from harness.cell import Cell
from harness.execution.slurm.batches import Batch, Missing
from harness.execution.slurm.client import JobStatus
from harness.execution.slurm.resources import Resources
from harness.execution.slurm.submitting import array_of, sbatch_options
from harness.execution.slurm.wording import job_note, shortened


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
