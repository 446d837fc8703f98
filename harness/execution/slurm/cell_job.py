"""What runs in a SLURM job: one cell, as on one's own machine.

submitit starts it in the job, and asks it for a `checkpoint` when SLURM warns that
the job will be ended: before its time is over, and when another job takes its place.
What a warning means isn't guessed: what counts is what lies on disk afterwards.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from harness.cell import Cell
from harness.execution.failure import Failure, Kind, write_failure
from harness.execution.job import Job
from harness.execution.slurm.commands import was_ended
from harness.files.process_id import JOB_VARIABLE
from harness.plan.plan import PlannedCell
from harness.results.state import RESULT, State, state_of

if TYPE_CHECKING:
    from harness.execution.pool import WorkerPool

FAILED, STOPPED = 1, 75
SHARED_FOLDER_SECONDS = 60.0
"""How long a shared file system may hide from one node what another one wrote."""
CHECKPOINT = "checkpoint.pt"


@dataclass
class CellJob:
    """One cell; an object as submitit runs it.

    Attributes
    ----------
    job
        The cell, as `Job.to_json` writes it.
    environment
        Variables that a job needs, whatever the cluster passes on.
    token
        The submission's.
    gpus
        How many it was given.
    patience_seconds
        How long a warned cell may take to come to a place where it can stop.
    standing
        Times in a row that the cell was stopped without having come further.
    seconds
        Spent on it before this attempt.
    """

    job: str
    environment: Mapping[str, str]
    token: str
    max_requeues: int
    gpus: int
    patience_seconds: int
    standing: int = 0
    seconds: float = 0.0
    _began: float = field(default=0.0, repr=False)
    _checkpoint: Any = field(default=None, repr=False)

    def __call__(self) -> None:
        """Work on the cell until it is done.

        The job ends with 1 if it failed, so that what requires it doesn't run, and is
        put back in the queue if it was stopped.
        """
        os.environ.update(self.environment)
        os.environ[JOB_VARIABLE] = name_of_this_job(self.token)
        job = Job.from_json(self.job)
        self._began = time.monotonic()
        self._checkpoint = _trace_of(job.folder)
        put_back = signal.getsignal(_warning())
        state = self._run(job)
        if state == "done":
            return
        if state in ("failed", "blocked"):
            sys.exit(FAILED)
        assert callable(put_back)
        put_back(_warning(), None)

    def checkpoint(self) -> Any:
        """What SLURM shall run when it starts the job again.

        Ends the process instead if the cell needs no other attempt, was cancelled, or
        has been stopped too often without having come further.
        """
        from submitit.helpers import DelayedSubmission

        job = Job.from_json(self.job)
        if state_of(job.cell, job.runs) == "done":
            sys.exit(0)
        if was_ended(_own_id()):
            sys.exit(STOPPED)
        if self._began:
            self.seconds += time.monotonic() - self._began
        further = _trace_of(job.folder) != self._checkpoint
        self.standing = 0 if further else self.standing + 1
        if self.standing > self.max_requeues:
            times = "" if self.standing == 1 else f" {self.standing} times in a row"
            message = (
                f"its job was stopped{times} before it could write a new checkpoint: "
                "give it more time, or checkpoint_minutes"
            )
            _fail(job, "time-limit", message)
            sys.exit(FAILED)
        return DelayedSubmission(self)

    def _run(self, job: Job) -> State:
        from rich.console import Console

        from harness.execution.local import LocalExecutor
        from harness.execution.places import Places
        from harness.execution.watchers import PlainWatcher

        needs = [PlannedCell(c, "required", "done") for c in _awaited(job)]
        if len(needs) < len(job.cell.requires):
            _fail(job, "infrastructure", "its node can't see what the cell requires")
            return "failed"
        cell = PlannedCell(job.cell, "suite", state_of(job.cell, job.runs))
        executor = LocalExecutor(
            job.runs,
            job.execution,
            Places(1, self._gpus()),
            PlainWatcher(Console(soft_wrap=True), 1, verbose=True),
            pool=_pool(),
            # The time limit is for all attempts together.
            spent_seconds=self.seconds,
        )
        with _warnings_heard(executor.ask_to_stop, self.patience_seconds):
            return executor.run([*needs, cell])[job.cell.id]

    def _gpus(self) -> list[str]:
        """Those that SLURM gave to the job."""
        if not self.gpus:
            return []
        given = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        return [gpu for gpu in given if gpu] or [str(i) for i in range(self.gpus)]


def name_of_this_job(token: str) -> str:
    """What no other job has, whatever cluster shares the folder of results.

    A cluster that is set up anew gives the same numbers again.
    """
    cluster = os.environ.get("SLURM_CLUSTER_NAME", "")
    return " ".join(part for part in (cluster, token, _own_id()) if part)


def _awaited(job: Job) -> list[Cell]:
    """The required cells, once their results are seen on this node."""
    needs = list(job.cell.requires.values())
    end = time.monotonic() + SHARED_FOLDER_SECONDS
    while True:
        there = [c for c in needs if (job.runs / c.folder / RESULT).exists()]
        if len(there) == len(needs) or time.monotonic() > end:
            return there
        time.sleep(1.0)


def _trace_of(folder: Path) -> tuple[int, ...]:
    """Something that every new checkpoint changes."""
    try:
        status = (folder / CHECKPOINT).stat()
    except OSError:
        return ()
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _own_id() -> str:
    array, element = (os.environ.get(f"SLURM_ARRAY_{x}_ID") for x in ("JOB", "TASK"))
    return f"{array}_{element}" if array else os.environ["SLURM_JOB_ID"]


def _fail(job: Job, kind: Kind, message: str) -> None:
    write_failure(job.folder, Failure(kind, message))


def _warning() -> signal.Signals:
    """The signal that submitit has SLURM send."""
    import submitit

    return signal.Signals[f"SIG{submitit.JobEnvironment.USR_SIG}"]


def _pool() -> WorkerPool:
    """Workers that SLURM's warning, which all processes of a job get, doesn't end."""
    from harness.execution.pool import WorkerPool

    pool = WorkerPool()
    signal.pthread_sigmask(signal.SIG_BLOCK, {_warning()})
    # What it starts inherits the mask.
    pool.warm_up()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {_warning()})
    return pool


@contextmanager
def _warnings_heard(stop: Callable[[], None], patience: int) -> Iterator[None]:
    """Within it a warning ends the cell after a checkpoint, or at once if that takes
    longer than `patience` seconds.

    Later ones are passed over: SLURM repeats itself when it puts a job back.
    """

    def ignore(_number: int, _frame: FrameType | None) -> None:
        return

    def heed(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, ignore)
        stop()
        signal.alarm(patience)

    signal.signal(_warning(), heed)
    signal.signal(signal.SIGALRM, lambda _number, _frame: stop())
    try:
        yield
    finally:
        signal.alarm(0)
        for number in (_warning(), signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            signal.signal(number, ignore)
