"""The jobs of a suite, taken back."""

from __future__ import annotations

import time
from pathlib import Path

import click

from harness.execution.slurm.commands import JobStatus, cancel, queue
from harness.execution.slurm.submitted import (
    newest_jobs,
    read_submissions,
    with_numbers,
)
from harness.execution.slurm.text import shortened

ENDING_SECONDS = 60.0
"""SLURM kills what doesn't end by itself, on most clusters after half a minute."""


def cancel_jobs(suite: str, runs: Path) -> bool:
    """Cancel the jobs that were submitted for a suite, and say which; False: none wait
    or are at work.

    Checkpoints stand, and what is done is kept.

    Raises
    ------
    SlurmError
        If SLURM can't be asked.
    """
    live = _live_jobs(suite, runs)
    if not live:
        return False
    ids = [job.id for job in live]
    at_work = sum(job.is_at_work for job in live)
    click.echo(
        f"suite {suite}: cancelling {shortened(ids)} "
        f"({at_work} at work, {len(live) - at_work} waiting)"
    )
    left = _cancelled(ids)
    if left:
        click.echo(f"{shortened(left)} didn't end yet: SLURM was told to end them")
    return True


def _live_jobs(suite: str, runs: Path) -> list[JobStatus]:
    own = [s for s in read_submissions(runs) if s.suite == suite]
    asked = queue() if own else {}
    jobs = newest_jobs(with_numbers(own, asked), asked)
    return [status for status in jobs.status.values() if status.is_live]


def _cancelled(jobs: list[str]) -> list[str]:
    """Cancel jobs, and wait for their ends; those that live on."""
    end = time.monotonic() + ENDING_SECONDS
    cancel(jobs)
    while jobs and time.monotonic() < end:
        time.sleep(0.5)
        asked = queue()
        jobs = [job for job in jobs if job in asked and asked[job].is_live]
        # One that was about to put itself back in the queue may just have done so.
        cancel([job for job in jobs if asked[job].state == "PENDING"])
    return jobs
