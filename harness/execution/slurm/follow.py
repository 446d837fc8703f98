"""Following cells whose jobs wait or work, from their files and SLURM's queue."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from harness.cell import Cell
from harness.execution.executors import Watcher
from harness.execution.failure import Failure, Kind, write_failure
from harness.execution.slurm.cell_job import SHARED_FOLDER_SECONDS
from harness.execution.slurm.commands import GONE, JobStatus, SlurmError, queue
from harness.execution.stop_signals import Asked, counted_signals
from harness.files.atomic import read_json
from harness.results.claim import Observer, highest_claim, progress_of
from harness.results.state import FAILURE, RESULT, State, state_of

FILES_SECONDS = 0.5
SOONEST_SECONDS, LATEST_SECONDS = 1.0, 15.0
"""Between two questions to SLURM: the longer nothing changes, the rarer."""

_ENDS: Mapping[str, tuple[Kind, str]] = {
    "OUT_OF_MEMORY": ("out-of-memory", "used more memory than it was given"),
    "TIMEOUT": ("time-limit", "ran out of time"),
    "DEADLINE": ("time-limit", "could not have ended before its deadline"),
    "NODE_FAIL": ("infrastructure", "lost its node"),
    "BOOT_FAIL": ("infrastructure", "lost its node"),
    "PREEMPTED": ("killed", "was ended for a more urgent one"),
    "REVOKED": ("killed", "was taken away by another cluster"),
}


class Follower:
    """Tells a watcher how cells fare, until all have ended.

    Parameters
    ----------
    runs
        The folder of results.
    jobs
        The job of each cell, by the cell's id; empty if another run works on it.
    states
        Of all cells of the plan; brought up to date as cells end.
    """

    def __init__(
        self,
        runs: Path,
        jobs: Mapping[str, str],
        states: dict[str, State],
        watcher: Watcher,
    ) -> None:
        self._runs = runs
        self._jobs = jobs
        self._states = states
        self._watcher = watcher
        self._queue: dict[str, JobStatus] | None = None
        self._asked = -LATEST_SECONDS
        self._pause = SOONEST_SECONDS
        self._started: set[str] = set()
        self._over_since: dict[str, float] = {}
        self._observer = Observer()

    def follow(self, cells: Iterable[Cell]) -> None:
        """Return when every cell has ended, or once it is asked to stop."""
        open_cells = list(cells)
        asked = Asked()
        with counted_signals(asked):
            while open_cells and not asked.times:
                self._ask()
                before = len(open_cells), len(self._started)
                open_cells = [c for c in open_cells if not self._has_ended(c)]
                if (len(open_cells), len(self._started)) != before:
                    self._pause = SOONEST_SECONDS
                if open_cells:
                    time.sleep(FILES_SECONDS)

    def _ask(self) -> None:
        if time.monotonic() - self._asked < self._pause:
            return
        # A controller that is busy or down says nothing about the jobs.
        with suppress(SlurmError):
            self._queue = queue()
        self._asked = time.monotonic()
        self._pause = min(1.5 * self._pause, LATEST_SECONDS)

    def _has_ended(self, cell: Cell) -> bool:
        folder = self._runs / cell.folder
        if (folder / RESULT).exists() and state_of(cell, self._runs) == "done":
            return self._conclude(cell, "done", "")
        job = self._jobs[cell.id]
        if not job:
            return self._is_given_up(cell, folder)
        culprit = self._hindrance(cell)
        if culprit:
            state = self._states[culprit.id]
            message = f"requires {culprit.title}, which {state}"
            _note(folder, Failure("blocked", message))
            return self._conclude(cell, "blocked", message)
        if self._queue is None:
            return False
        status = self._queue.get(job, JobStatus(job, GONE))
        if status.is_live:
            self._show(cell, status, folder)
            return False
        return self._has_left(cell, status, folder)

    def _hindrance(self, cell: Cell) -> Cell | None:
        """A required cell that failed or can't run."""
        for needed in cell.requires.values():
            if self._states.get(needed.id) in ("failed", "blocked"):
                return needed
        return None

    def _show(self, cell: Cell, status: JobStatus, folder: Path) -> None:
        self._over_since.pop(cell.id, None)
        if not status.is_at_work:
            if cell.id in self._started:
                self._started.remove(cell.id)
                self._watcher.again(cell, f"its job {status.id} is back in the queue")
            return
        if cell.id not in self._started:
            self._started.add(cell.id)
            self._watcher.started(cell)
        progress = progress_of(folder) or "starting"
        self._watcher.progressed(cell, f"{status.node}: {progress}")

    def _has_left(self, cell: Cell, status: JobStatus, folder: Path) -> bool:
        """Whether a cell whose job is over has been given up."""
        reason = _reason(folder)
        if reason:
            return self._conclude(cell, "failed", reason)
        if not self._was_only_waiting(cell, status) and self._may_be_hidden(cell):
            return False
        if status.state == "CANCELLED":
            return self._conclude(cell, "planned", f"job {status.id} was cancelled")
        failure = _failure(status)
        _note(folder, failure)
        return self._conclude(cell, "failed", f"{failure.kind}: {failure.message}")

    def _is_given_up(self, cell: Cell, folder: Path) -> bool:
        """Whether the other run that was at a cell has left it as it is."""
        number = highest_claim(folder)
        if number and not self._observer.is_stale(folder, number):
            self._over_since.pop(cell.id, None)
            if cell.id not in self._started:
                self._started.add(cell.id)
                self._watcher.started(cell)
            progress = progress_of(folder) or "starting"
            self._watcher.progressed(cell, f"another run: {progress}")
            return False
        # It may also be about to try again.
        if self._may_be_hidden(cell):
            return False
        reason = _reason(folder)
        if reason:
            return self._conclude(cell, "failed", reason)
        message = "another run was at it and stopped; the same command submits it"
        return self._conclude(cell, "planned", message)

    def _was_only_waiting(self, cell: Cell, status: JobStatus) -> bool:
        """Whether a job was cancelled that had never begun, and not by SLURM since
        what it requires has failed.
        """
        began = bool(status.node or status.restarts)
        needs = {self._states.get(c.id) for c in cell.requires.values()}
        return status.state == "CANCELLED" and not began and needs <= {"done"}

    def _may_be_hidden(self, cell: Cell) -> bool:
        """Whether what was written at the end may still not be seen from here."""
        since = self._over_since.setdefault(cell.id, time.monotonic())
        return time.monotonic() - since < SHARED_FOLDER_SECONDS

    def _conclude(self, cell: Cell, state: State, message: str) -> bool:
        self._states[cell.id] = state
        self._watcher.ended(cell, state, message)
        return True


def _reason(folder: Path) -> str:
    """Why the cell failed, as its job noted it; empty if it noted nothing."""
    try:
        failure = read_json(folder / FAILURE)
        return f"{failure['kind']}: {failure['message']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _failure(status: JobStatus) -> Failure:
    """What a job's end amounts to that left neither result nor reason."""
    name = f"job {status.id}"
    if status.state == GONE:
        message = f"SLURM doesn't know its {name} any more, and it left no result"
        return Failure("infrastructure", message)
    if status.state in _ENDS:
        kind, what = _ENDS[status.state]
        return Failure(kind, f"its {name} {what}")
    how = " ".join(x for x in (status.state, status.reason) if x)
    return Failure("crash", f"its {name} ended without a result ({how})")


def _note(folder: Path, failure: Failure) -> None:
    """Leave the failure in the cell's folder, if its disk has room for it."""
    with suppress(OSError):
        write_failure(folder, failure)
