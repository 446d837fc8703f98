"""Cells on this machine: a process each, several at a time, the longest first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.cell import Cell
from harness.execution.environment import worker_environment
from harness.execution.executors import Watcher
from harness.execution.exit_status import crash, left, note, refused_by
from harness.execution.failure import MOST_REQUEUES, Failure, may_retry
from harness.execution.job import Job
from harness.execution.places import Place, Places
from harness.execution.pool import WorkerPool, WorkerProcess
from harness.execution.schedule import by_length
from harness.execution.stop_signals import ASKING, Asked, counted_signals
from harness.execution.watchdog import Watchdog
from harness.execution.worker import CLAIMED, DONE, FAILED, STOPPED
from harness.options import Execution
from harness.plan.plan import PlannedCell
from harness.results.claim import Observer, highest_claim
from harness.results.state import State, state_of

POLL_SECONDS = 0.1
CLAIMED_WAIT_SECONDS = 2.0
MOST_UNCLAIMED = 3
"""Times that a process may say that another holds its cell while nobody does."""
SOFT_ENDS = (STOPPED, *(-number for number in ASKING))
"""Exit codes of a worker that was asked to stop, perhaps before it could listen."""


@dataclass
class _Running:
    cell: Cell
    process: WorkerProcess
    place: Place
    watchdog: Watchdog | None = None
    limit: Failure | None = None


@dataclass
class _Tries:
    """What has become of a cell's processes so far."""

    failed: int = 0
    stopped: int = 0
    unclaimed: int = 0


@dataclass
class _Queue:
    """The cells that still have to run, those first that should go first."""

    cells: list[Cell] = field(default_factory=list)
    tries: dict[str, _Tries] = field(default_factory=dict)

    def tries_of(self, cell: Cell) -> _Tries:
        return self.tries.setdefault(cell.id, _Tries())


class LocalExecutor:
    """Runs cells in worker processes.

    Parameters
    ----------
    runs
        The folder of results.
    execution
        The suite's limits and checkpoints.
    places
        How many cells may run at a time, and on what.
    seconds
        How long each cell may take, by id: the longest go first.
    pool
        Where workers come from; closed at the end of `run`.
    fail_fast
        Start no further cell once one has failed.
    spent_seconds
        What is gone already of each cell's time limit.
    """

    def __init__(
        self,
        runs: Path,
        execution: Execution,
        places: Places,
        watcher: Watcher,
        *,
        seconds: Mapping[str, float] | None = None,
        pool: WorkerPool | None = None,
        fail_fast: bool = False,
        spent_seconds: float = 0.0,
    ) -> None:
        self._runs = runs
        self._execution = execution
        self._places = places
        self._watcher = watcher
        self._seconds = seconds or {}
        self._pool = pool or WorkerPool()
        self._fail_fast = fail_fast
        self._spent_seconds = spent_seconds
        self._queue = _Queue()
        self._running: list[_Running] = []
        self._looked_at: dict[str, float] = {}
        # Only the very claim that was seen to stand still may be overtaken.
        self._stale_claims: dict[str, int] = {}
        self._observer = Observer()
        self._states: dict[str, State] = {}
        self._asked = Asked()
        self._stopping = False

    def ask_to_stop(self) -> None:
        """As Ctrl-C, for who has a signal of its own; may be called in a handler."""
        self._asked.times += 1

    def run(self, cells: Sequence[PlannedCell]) -> dict[str, State]:
        """Run all cells that aren't done; the states in which they end, by id.

        Ctrl-C once lets every cell write down where it is; twice ends them at once.
        """
        # What failed or was blocked before is tried again: only now will tell.
        self._states = {
            p.cell.id: "done" if p.state == "done" else "planned" for p in cells
        }
        pending = [p.cell for p in cells if p.state != "done"]
        self._queue.cells = by_length(pending, self._seconds)
        with counted_signals(self._asked):
            try:
                while (self._queue.cells or self._running) and self._asked.times < 2:
                    try:
                        self._heed()
                        self._turn()
                    except KeyboardInterrupt:
                        self.ask_to_stop()
            finally:
                self._pool.close()
        self._settle_killed()
        return self._states

    # --- a turn ------------------------------------------------------------------

    def _turn(self) -> None:
        for cell in list(self._ready()):
            place = self._places.take(cell.processes)
            # What needs more room than is left must not wait for ever behind others.
            if place is None:
                break
            self._queue.cells.remove(cell)
            self._start(cell, place)
        self._pool.wait(POLL_SECONDS)
        for worker in list(self._running):
            if worker.process.code is None:
                self._watch(worker)
            else:
                self._finish(worker)

    def _ready(self) -> Iterator[Cell]:
        """Cells whose requirements are done; those that can't be met are blocked."""
        queue = self._queue.cells
        for cell in list(queue):
            needs = {self._states.get(c.id, "planned") for c in cell.requires.values()}
            if needs & {"failed", "blocked"}:
                queue.remove(cell)
                self._block(cell)
            elif not self._can_come(cell):
                queue.remove(cell)
            elif needs <= {"done"} and self._is_free(cell):
                yield cell

    def _can_come(self, cell: Cell) -> bool:
        """False once a cell that this one requires was stopped."""
        coming = {c.id for c in self._queue.cells} | {w.cell.id for w in self._running}
        needs = {c.id for c in cell.requires.values()}
        return all(self._states.get(i) == "done" or i in coming for i in needs)

    def _is_free(self, cell: Cell) -> bool:
        """Whether no other `harness run` is at the cell; looked at now and then."""
        if cell.id not in self._looked_at:
            return True
        now, folder = time.monotonic(), self._runs / cell.folder
        if now - self._looked_at[cell.id] < CLAIMED_WAIT_SECONDS:
            return False
        self._looked_at[cell.id] = now
        if state_of(cell, self._runs) == "done":
            self._queue.cells.remove(cell)
            self._conclude(cell, "done", "by another run")
            return False
        number = highest_claim(folder)
        if number and not self._observer.is_stale(folder, number):
            return False
        self._stale_claims[cell.id] = number
        return True

    def _block(self, cell: Cell) -> None:
        bad = [c for c in cell.requires.values() if self._states[c.id] != "done"]
        does = "failed" if self._states[bad[0].id] == "failed" else "is blocked"
        message = f"requires {bad[0].title}, which {does}"
        folder = self._runs / cell.folder
        note(folder, Failure("blocked", message))
        self._conclude(cell, "blocked", message)

    def _start(self, cell: Cell, place: Place) -> None:
        folder = self._runs / cell.folder
        if (refused := refused_by(folder)) is not None:
            self._places.give_back(place)
            self._give_up(cell, refused)
            return
        environment = worker_environment(place.gpus, cell.budget.threads)
        process = self._pool.start(self._job(cell), environment, folder / "log.txt")
        self._running.append(_Running(cell, process, place))
        self._states[cell.id] = "running"
        self._watcher.started(cell)

    def _job(self, cell: Cell) -> Job:
        stale = self._stale_claims.get(cell.id, 0)
        return Job(cell, self._runs, self._execution, stale)

    def _watch(self, worker: _Running) -> None:
        pid = worker.process.pid
        if pid is None:
            return
        if worker.watchdog is None:
            folder = self._runs / worker.cell.folder
            worker.watchdog = Watchdog(self._execution, folder, self._spent_seconds)
        limit = worker.watchdog.look(pid)
        self._watcher.progressed(worker.cell, worker.watchdog.progress)
        if limit is not None and worker.limit is None:
            worker.limit = limit
            self._pool.kill(worker.process)

    # --- ends --------------------------------------------------------------------

    def _finish(self, worker: _Running) -> None:
        self._running.remove(worker)
        self._places.give_back(worker.place)
        cell, code = worker.cell, worker.process.code
        if code == CLAIMED:
            self._is_claimed(cell)
        elif code in SOFT_ENDS and worker.limit is None:
            self._was_stopped(cell)
        elif code == DONE and state_of(cell, self._runs) == "done":
            self._conclude(cell, "done", "")
        else:
            self._has_failed(worker)

    def _is_claimed(self, cell: Cell) -> None:
        """Another `harness run` is at it: look again until it's done or dead."""
        folder, tries = self._runs / cell.folder, self._queue.tries_of(cell)
        number = highest_claim(folder)
        held = number and not self._observer.is_stale(folder, number)
        if not held and state_of(cell, self._runs) != "done":
            tries.unclaimed += 1
        if tries.unclaimed > MOST_UNCLAIMED:
            message = f"its process ended with {CLAIMED}, though nobody else is at it"
            self._give_up(cell, Failure("crash", message))
            return
        self._looked_at[cell.id] = time.monotonic()
        self._watcher.progressed(cell, "another run is at it")
        self._put_back(cell)

    def _was_stopped(self, cell: Cell) -> None:
        """A worker was asked to stop: with the whole command, or alone."""
        tries = self._queue.tries_of(cell)
        tries.stopped += 1
        if self._stopping:
            self._conclude(cell, "planned", "stopped; its last checkpoint stands")
        elif tries.stopped > MOST_REQUEUES:
            message = f"its process was asked to stop {tries.stopped} times"
            self._give_up(cell, Failure("killed", message))
        else:
            self._watcher.again(cell, "its process was asked to stop; it goes on")
            self._put_back(cell)

    def _has_failed(self, worker: _Running) -> None:
        cell, folder = worker.cell, self._runs / worker.cell.folder
        if worker.process.code == FAILED and worker.limit is None:
            failure = left(folder) or crash(worker.process)
        else:
            failure = worker.limit or crash(worker.process)
        tries = self._queue.tries_of(cell)
        tries.failed += 1
        most = 1 + self._execution.retries
        if may_retry(failure.kind) and tries.failed < most and not self._stopping:
            said = f"attempt {tries.failed + 1} of {most} follows"
            self._watcher.again(cell, f"{failure.kind}: {failure.message}; {said}")
            self._put_back(cell)
            return
        self._give_up(cell, failure)

    def _put_back(self, cell: Cell) -> None:
        self._states[cell.id] = "planned"
        if not self._stopping:
            self._queue.cells.insert(0, cell)

    def _give_up(self, cell: Cell, failure: Failure) -> None:
        folder = self._runs / cell.folder
        if left(folder) != failure:
            failure = note(folder, failure)
        self._conclude(cell, "failed", f"{failure.kind}: {failure.message}")
        if self._fail_fast:
            self._queue.cells.clear()

    def _conclude(self, cell: Cell, state: State, message: str) -> None:
        self._states[cell.id] = state
        self._watcher.ended(cell, state, message)

    # --- being asked to stop -----------------------------------------------------

    def _heed(self) -> None:
        if self._asked.times and not self._stopping:
            self._stopping = True
            self._queue.cells.clear()
            for worker in self._running:
                self._pool.ask_to_stop(worker.process)

    def _settle_killed(self) -> None:
        """Cells whose processes were ended at once go on from their checkpoints."""
        for worker in self._running:
            self._conclude(worker.cell, "planned", "killed; its last checkpoint stands")
