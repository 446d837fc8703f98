"""Cells as SLURM jobs: submitted if they are missing, then followed to their end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click
from rich.markup import escape

from harness.cell import Cell
from harness.console import news
from harness.errors import ConfigError
from harness.execution.executors import RunRequest, Watcher, Watching
from harness.execution.preflight import prepare_data
from harness.execution.slurm.batches import missing_cells
from harness.execution.slurm.cancel_jobs import cancel_jobs
from harness.execution.slurm.commands import JobStatus, SlurmError, cancel, queue
from harness.execution.slurm.follow import Follower
from harness.execution.slurm.held import with_held
from harness.execution.slurm.requested import resources_of
from harness.execution.slurm.submit import import_submitit, sole_submitter, submit
from harness.execution.slurm.submitted import (
    CellJobs,
    newest_jobs,
    read_submissions,
    remove_over,
    with_numbers,
)
from harness.execution.slurm.text import job_note, shortened, show_missing
from harness.plan.plan import PlannedCell
from harness.plugin import Parameters
from harness.results.state import State

_PROGRAMS = ("sbatch", "squeue", "scancel", "srun")


@dataclass(frozen=True)
class Submitted:
    """What was submitted, and what is followed.

    Attributes
    ----------
    jobs
        The job of each cell that is followed, by the cell's id; empty if another run,
        which is no job, works on it.
    new
        Cells whose jobs were submitted just now.
    out_of_reach
        How many cells require one that isn't done and has no job.
    """

    jobs: dict[str, str]
    new: Sequence[str]
    out_of_reach: int = 0

    def __str__(self) -> str:
        new = [self.jobs[cell] for cell in self.new]
        old = [job for cell, job in self.jobs.items() if job and cell not in self.new]
        elsewhere = list(self.jobs.values()).count("")
        parts = [f"submitted {shortened(new)}" if new else "nothing to submit"]
        if old:
            parts.append(f"{shortened(old)} submitted earlier")
        if elsewhere:
            parts.append(f"cells that another run is at: {elsewhere}")
        if self.out_of_reach:
            parts.append(
                "not submitted, as what they require isn't done and has no job: "
                f"{self.out_of_reach}"
            )
        return "; ".join(parts)


class SlurmExecutor:
    """Runs cells as SLURM jobs. All nodes must see the folder of results.

    With `fail_fast`, jobs that wait are cancelled once a cell has failed.
    """

    options: ClassVar = frozenset({"profile", "dry_run", "wait"})
    why_not: ClassVar = (
        "is about this machine; [execution.slurm] or --profile is about jobs"
    )
    table: ClassVar[type[Parameters] | None] = None

    def __init__(self, request: RunRequest) -> None:
        self._request = request
        self._runs, self._suite = request.runs, request.suite
        self._resources = resources_of(request.execution, request.profile)
        if not request.dry_run:
            _check_slurm()

    def show(self, cells: Sequence[PlannedCell]) -> None:
        """Print what would be submitted."""
        have = jobs_of(self._runs)
        missing = missing_cells(cells, have, self._resources)
        show_missing(missing, self._suite, self._resources, have.status)

    def run(
        self, cells: Sequence[PlannedCell], watching: Watching
    ) -> dict[str, State] | None:
        """Submit what is missing and follow it to its end; the states in which all
        cells end, by id, or None if they aren't waited for.

        Raises
        ------
        SlurmError
            If SLURM can't be asked, or refuses a job.
        """
        pending = [p for p in cells if p.state != "done"]
        prepare_data(pending, quiet=self._request.quiet)
        submitted = self.submit(cells)
        news().print(escape(str(submitted)))
        if not self._request.wait:
            return None
        with watching(len(submitted.jobs)) as watcher:
            return self.follow(cells, submitted, watcher)

    def after_stop(self) -> str:
        """The jobs go on."""
        return (
            "jobs that wait or are at work go on by themselves: `harness cancel "
            f"{self._suite}` ends them"
        )

    @classmethod
    def job_notes(cls, runs: Path) -> Mapping[str, str]:
        """What is to be said of each cell's newest job, by the cell's id.

        Empty where nothing was submitted. If SLURM can't be asked, a warning says so.
        """
        try:
            jobs = jobs_of(runs)
        except SlurmError as error:
            click.echo(f"warning: nothing is known of the jobs: {error}", err=True)
            return {}
        notes = {cell: job_note(status) for cell, status in jobs.status.items()}
        return {cell: note for cell, note in notes.items() if note}

    @classmethod
    def cancel(cls, suite: str, runs: Path) -> bool:
        """Cancel the jobs that were submitted for a suite, and say which."""
        return cancel_jobs(suite, runs)

    def submit(self, cells: Sequence[PlannedCell]) -> Submitted:
        """Submit the cells that are neither done nor have a job.

        Raises
        ------
        SlurmError
            If SLURM can't be asked, or refuses a job.
        """
        import_submitit()
        cells = with_held(cells, self._runs, jobs_of(self._runs))
        with sole_submitter(self._runs) as claim:
            asked = queue()
            known = with_numbers(read_submissions(self._runs), asked)
            remove_over(self._runs, known, asked)
            have = newest_jobs(known, asked)
            missing = missing_cells(cells, have, self._resources)
            cancel(missing.outdated)
            followed = {c.id: have.status[c.id].id for c in missing.followed}
            new = submit(
                missing.batches,
                self._suite,
                self._runs,
                self._resources,
                followed,
                claim,
            )
        elsewhere = {c.id: "" for c in missing.elsewhere}
        jobs = {**elsewhere, **followed, **new}
        return Submitted(jobs, list(new), len(missing.out_of_reach))

    def follow(
        self, cells: Sequence[PlannedCell], submitted: Submitted, watcher: Watcher
    ) -> dict[str, State]:
        """Watch the cells to their end; the states in which they end, by id.

        Ctrl-C leaves the jobs to themselves.
        """
        states: dict[str, State] = {
            p.cell.id: "done" if p.state == "done" else "planned" for p in cells
        }
        jobs = [job for job in submitted.jobs.values() if job]
        watched = _FailFast(watcher, jobs) if self._request.fail_fast else watcher
        followed = [p.cell for p in cells if p.cell.id in submitted.jobs]
        Follower(self._runs, submitted.jobs, states, watched).follow(followed)
        return states


def _check_slurm() -> None:
    """Find out whether jobs can be submitted.

    Raises
    ------
    ConfigError
        If SLURM or submitit isn't there.
    """
    import_submitit()
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} can't be found: start it on a machine from "
            "which jobs can be submitted",
            "--executor slurm",
        )


class _FailFast:
    """Cancels all jobs that wait, once a cell has failed."""

    def __init__(self, watcher: Watcher, jobs: Sequence[str]) -> None:
        self._jobs = jobs
        self.started: Callable[[Cell], None] = watcher.started
        self.progressed: Callable[[Cell, str], None] = watcher.progressed
        self.again: Callable[[Cell, str], None] = watcher.again
        self._ended = watcher.ended

    def ended(self, cell: Cell, state: State, message: str) -> None:
        """The cell is done, failed, blocked or was stopped."""
        self._ended(cell, state, message)
        if state == "failed":
            with suppress(SlurmError):
                cancel(self._jobs, waiting_only=True)


def jobs_of(runs: Path) -> CellJobs:
    """The newest job of each cell; none where nothing was submitted.

    Raises
    ------
    SlurmError
        If SLURM can't be asked.
    """
    submissions = read_submissions(runs)
    if not submissions:
        return CellJobs()
    asked: dict[str, JobStatus] = queue()
    return newest_jobs(with_numbers(submissions, asked), asked)
