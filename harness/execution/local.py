"""Cells on this machine: a process each, several at a time, in the plan's order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from harness.cell import Cell
from harness.execution.failure import Failure
from harness.execution.worker import (
    CLAIMED,
    DONE,
    FAILED,
    STOPPED,
    Job,
    write_failure,
)
from harness.options import Execution
from harness.plan import PlannedCell
from harness.results.claim import Observer, highest_claim, progress_of
from harness.results.files import read_json
from harness.results.state import FAILURE, State, state_of

POLL_SECONDS = 0.1
CLAIMED_WAIT_SECONDS = 2.0


class Watcher(Protocol):
    """Whoever shows people how a run goes."""

    def started(self, cell: Cell) -> None:
        """A process took the cell up."""

    def progressed(self, cell: Cell, progress: str) -> None:
        """What the cell's process is at."""

    def ended(self, cell: Cell, state: State, message: str) -> None:
        """The cell is done, failed, blocked, or (planned) was asked to stop."""


@dataclass
class _Running:
    cell: Cell
    process: subprocess.Popen[str]
    log: IO[str]
    device: str
    started: float = field(default_factory=time.monotonic)
    timed_out: bool = False


class LocalExecutor:
    """Runs cells in worker processes.

    Parameters
    ----------
    runs
        The folder of results.
    execution
        The suite's limits and checkpoints.
    devices
        One entry a worker: `cpu`, or the index of the GPU that it is pinned to.
    fail_fast
        Start no further cell once one has failed.
    """

    def __init__(
        self,
        runs: Path,
        execution: Execution,
        devices: Sequence[str],
        watcher: Watcher,
        *,
        fail_fast: bool = False,
    ) -> None:
        self._runs = runs
        self._execution = execution
        self._free = list(devices)
        self._watcher = watcher
        self._fail_fast = fail_fast
        self._running: list[_Running] = []
        self._looked_at: dict[str, float] = {}
        self._observer = Observer()
        self._states: dict[str, State] = {}
        self._stopping = False

    def run(self, cells: Sequence[PlannedCell]) -> dict[str, State]:
        """Run all cells that aren't done; the states in which they end, by id.

        Ctrl-C once lets every cell write down where it is; twice ends them at once.
        """
        self._states = {p.cell.id: p.state for p in cells}
        queue = [p.cell for p in cells if p.state != "done"]
        # A polite end of the whole command is Ctrl-C by another name.
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.default_int_handler)
        try:
            while queue or self._running:
                try:
                    self._turn(queue)
                except KeyboardInterrupt:
                    self._interrupt(queue)
        finally:
            self._kill_all()
        return self._states

    def _turn(self, queue: list[Cell]) -> None:
        for cell in list(self._ready(queue)):
            if not self._free:
                break
            queue.remove(cell)
            self._start(cell)
        time.sleep(POLL_SECONDS)
        for worker in list(self._running):
            if worker.process.poll() is None:
                self._watch(worker)
            else:
                self._finish(worker, queue)

    def _ready(self, queue: list[Cell]) -> Iterator[Cell]:
        """Cells whose requirements are done; those that can't be met are blocked."""
        for cell in list(queue):
            needs = {self._states.get(c.id, "planned") for c in cell.requires.values()}
            if needs & {"failed", "blocked"}:
                queue.remove(cell)
                self._block(cell)
            elif not self._can_come(cell, queue):
                queue.remove(cell)
            elif needs <= {"done"} and self._is_free(cell, queue):
                yield cell

    def _can_come(self, cell: Cell, queue: list[Cell]) -> bool:
        """False once a cell that this one requires was stopped."""
        coming = {c.id for c in queue} | {w.cell.id for w in self._running}
        needs = {c.id for c in cell.requires.values()}
        return all(self._states.get(i) == "done" or i in coming for i in needs)

    def _is_free(self, cell: Cell, queue: list[Cell]) -> bool:
        """Whether no other `harness run` is at the cell; looked at now and then."""
        if cell.id not in self._looked_at:
            return True
        now, folder = time.monotonic(), self._runs / cell.folder
        if now - self._looked_at[cell.id] < CLAIMED_WAIT_SECONDS:
            return False
        self._looked_at[cell.id] = now
        if state_of(cell, self._runs) == "done":
            queue.remove(cell)
            self._conclude(cell, "done", "by another run")
            return False
        number = highest_claim(folder)
        return number == 0 or self._observer.is_stale(folder, number)

    def _block(self, cell: Cell) -> None:
        bad = [c for c in cell.requires.values() if self._states[c.id] != "done"]
        message = f"requires {bad[0].title}, which {self._states[bad[0].id]}"
        folder = self._runs / cell.folder
        _note(folder, Failure("blocked", message))
        self._conclude(cell, "blocked", message)

    def _start(self, cell: Cell) -> None:
        folder = self._runs / cell.folder
        folder.mkdir(parents=True, exist_ok=True)
        device = self._free.pop(0)
        log = (folder / "log.txt").open("a", encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.execution.worker"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(device, cell.budget.threads),
            # Its own session: Ctrl-C reaches the parent alone, which asks it to stop.
            start_new_session=True,
        )
        assert process.stdin is not None
        try:
            process.stdin.write(self._job(cell).to_json())
            process.stdin.close()
        except BrokenPipeError:
            pass  # it died at once: its exit code tells
        self._running.append(_Running(cell, process, log, device))
        self._states[cell.id] = "running"
        self._watcher.started(cell)

    def _job(self, cell: Cell) -> Job:
        number = highest_claim(self._runs / cell.folder)
        seen_stale = cell.id in self._looked_at
        return Job(cell, self._runs, self._execution, number if seen_stale else 0)

    def _watch(self, worker: _Running) -> None:
        progress = progress_of(self._runs / worker.cell.folder)
        self._watcher.progressed(worker.cell, progress)
        limit = self._execution.time_limit_minutes
        late = limit is not None and time.monotonic() - worker.started > 60 * limit
        if late and not worker.timed_out:
            worker.timed_out = True
            worker.process.kill()

    def _finish(self, worker: _Running, queue: list[Cell]) -> None:
        self._running.remove(worker)
        worker.log.close()
        self._free.insert(0, worker.device)
        cell, code = worker.cell, worker.process.returncode
        folder = self._runs / cell.folder
        if code == CLAIMED:
            # Another `harness run` is at it: look again until it's done or dead.
            self._looked_at[cell.id] = time.monotonic()
            self._states[cell.id] = "planned"
            self._watcher.progressed(cell, "another run is at it")
            if not self._stopping:
                queue.append(cell)
            return
        if code == STOPPED:
            self._conclude(cell, "planned", "stopped; its last checkpoint stands")
            return
        if code == DONE and state_of(cell, self._runs) == "done":
            self._conclude(cell, "done", "")
            return
        if code != FAILED or not (folder / FAILURE).exists():
            _note(folder, self._crash(worker))
        self._conclude(cell, "failed", _message(folder))
        if self._fail_fast:
            queue.clear()

    def _crash(self, worker: _Running) -> Failure:
        if worker.timed_out:
            minutes = self._execution.time_limit_minutes
            return Failure("time-limit", f"took more than {minutes:g} minutes")
        code = worker.process.returncode
        if code == -signal.SIGKILL:
            message = "its process was killed (SIGKILL): out of memory?"
            return Failure("crash", message)
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Failure("crash", f"its process ended without a result ({name})")

    def _conclude(self, cell: Cell, state: State, message: str) -> None:
        self._states[cell.id] = state
        self._watcher.ended(cell, state, message)

    def _interrupt(self, queue: list[Cell]) -> None:
        if self._stopping:
            self._kill_all()
        self._stopping = True
        queue.clear()
        for worker in self._running:
            worker.process.terminate()

    def _kill_all(self) -> None:
        for worker in self._running:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()


def _environment(device: str, threads: int) -> dict[str, str]:
    environment = dict(os.environ)
    environment["OMP_NUM_THREADS"] = environment["MKL_NUM_THREADS"] = str(threads)
    # Without it some CUDA products give other bits each time.
    environment["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    if device == "cpu":
        environment["ACCELERATE_USE_CPU"] = "true"
        environment["CUDA_VISIBLE_DEVICES"] = ""
    else:
        environment["CUDA_VISIBLE_DEVICES"] = device
    return environment


def _note(folder: Path, failure: Failure) -> None:
    """Leave the failure in the cell's folder, if its disk has room for it."""
    try:
        write_failure(folder, failure)
    except OSError:
        return


def _message(folder: Path) -> str:
    try:
        failure = read_json(folder / FAILURE)
        return f"{failure['kind']}: {failure['message']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"no reason could be written; see {folder / 'log.txt'}"
