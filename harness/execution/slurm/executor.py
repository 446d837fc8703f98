"""Cells as SLURM jobs: submitted if they are missing, then followed to their end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.cell import Cell
from harness.errors import ConfigError
from harness.execution.local import Watcher
from harness.execution.slurm.batches import missing_cells
from harness.execution.slurm.commands import JobStatus, SlurmError, cancel, queue
from harness.execution.slurm.follow import Follower
from harness.execution.slurm.held import with_held
from harness.execution.slurm.requested import Resources, resources_of
from harness.execution.slurm.submit import import_submitit, sole_submitter, submit
from harness.execution.slurm.submitted import (
    CellJobs,
    newest_jobs,
    read_submissions,
    remove_over,
    with_numbers,
)
from harness.execution.slurm.text import shortened, show_missing
from harness.options import Execution
from harness.plan.plan import PlannedCell
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
    """Runs cells as SLURM jobs.

    Parameters
    ----------
    runs
        The folder of results; all nodes must see it.
    suite
        The suite's name, under which `cancel` finds its jobs.
    fail_fast
        Once a cell has failed, cancel jobs that wait.
    """

    def __init__(
        self, runs: Path, suite: str, resources: Resources, *, fail_fast: bool = False
    ) -> None:
        self._runs = runs
        self._suite = suite
        self._resources = resources
        self._fail_fast = fail_fast

    def show(self, cells: Sequence[PlannedCell]) -> None:
        """Print what would be submitted."""
        have = jobs_of(self._runs)
        missing = missing_cells(cells, have, self._resources)
        show_missing(missing, self._suite, self._resources, have.status)

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
        watched = _FailFast(watcher, jobs) if self._fail_fast else watcher
        followed = [p.cell for p in cells if p.cell.id in submitted.jobs]
        Follower(self._runs, submitted.jobs, states, watched).follow(followed)
        return states


def slurm_executor(
    runs: Path,
    suite: str,
    execution: Execution,
    profile: str | None,
    *,
    fail_fast: bool,
    submits: bool,
) -> SlurmExecutor:
    """The executor of a suite's cells.

    Parameters
    ----------
    suite
        Its name.
    profile
        A file, or the name of one, that goes before what the suite says.
    submits
        Whether anything shall be submitted, so that SLURM must be there.

    Raises
    ------
    ConfigError
        If the profile is wrong, or SLURM or submitit isn't there.
    """
    resources = resources_of(execution, profile)
    if submits:
        import_submitit()
        missing = [name for name in _PROGRAMS if shutil.which(name) is None]
        if missing:
            raise ConfigError(
                f"{' and '.join(missing)} can't be found: start it on a machine from "
                "which jobs can be submitted",
                "--executor slurm",
            )
    return SlurmExecutor(runs, suite, resources, fail_fast=fail_fast)


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
