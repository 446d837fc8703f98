"""Several processes of one cell: forked, joined and ended together.

The worker is rank 0. It forks the others before it has threads, so that they need not
import again what its fork server has, and tells them where to meet once they are
wanted. accelerate then finds them as it finds those of torchrun.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from harness.errors import Interrupted, PeerError
from harness.execution.failure import Failure, classify, write_failure
from harness.execution.job import Job
from harness.execution.stop_signals import ASKING
from harness.execution.streams import leave

HOST = "127.0.0.1"
# The watchdog ends what hangs; a rank may wait for a long evaluation of another.
PATIENCE = timedelta(days=1)
GRACE_SECONDS = 15.0
"""How long a process may take to notice by itself that another has ended."""
_FORK = multiprocessing.get_context("fork")


@dataclass
class Rank:
    """A further process of a cell, as its worker sees it.

    Attributes
    ----------
    channel
        Where it is told the port at which to meet, and tells of its failure.
    """

    number: int
    process: ForkProcess
    channel: Connection
    failure: Failure | None = field(default=None)

    def settle(self) -> None:
        """Read what it left; returns once it has ended."""
        text = self._told()
        self.process.join()
        code = self.process.exitcode or 0
        if text:
            self.failure = Failure(**json.loads(text))
        elif code < 0:
            self.failure = Failure("killed", f"its process {self.number} was killed")
        elif code:
            self.failure = Failure("crash", f"its process {self.number} ended ({code})")

    def _told(self) -> str:
        """What it says of its failure; nothing if it ended without a word."""
        with suppress(EOFError, OSError):
            while True:
                alive = self.process.is_alive()
                # What it has started may hold the channel longer than it lives.
                if self.channel.poll(0.2):
                    return self.channel.recv_bytes().decode()
                if not alive:
                    break
        return ""


def fork_ranks(job: Job) -> list[Rank]:
    """The other processes of a cell, waiting to be wanted; none where it has one.

    To be called before there is any thread, which a fork would not take along.
    """
    return [_fork(job, number) for number in range(1, job.cell.processes)]


def _fork(job: Job, number: int) -> Rank:
    ours, theirs = _FORK.Pipe()
    process = _FORK.Process(target=_be_a_rank, args=(job, number, theirs, os.getpid()))
    process.start()
    theirs.close()
    return Rank(number, process, ours)


@contextmanager
def joined(job: Job, ranks: Sequence[Rank]) -> Iterator[None]:
    """All processes of the cell together, until its end.

    Raises
    ------
    PeerError
        If one of them failed, which is then the cell's failure.
    """
    if not ranks:
        yield
        return
    store = _meet(0, job.cell.processes, 0)
    over = threading.Event()
    for rank in ranks:
        with suppress(OSError):
            rank.channel.send_bytes(str(store.port).encode())
        threading.Thread(
            target=_watch, args=(rank, job.folder, over), daemon=True
        ).start()
    try:
        _join(0, job.cell.processes, store)
        yield
    except Exception as error:
        failure = _first_failure(ranks)
        if failure is not None:
            raise PeerError(failure) from error
        raise
    finally:
        over.set()
        end_ranks(ranks)


def end_ranks(ranks: Sequence[Rank]) -> None:
    """End what is left of the processes."""
    for rank in ranks:
        rank.process.kill()
        rank.process.join()


def _watch(rank: Rank, folder: Path, over: threading.Event) -> None:
    """End this process, too, if another ends badly and the backend doesn't notice."""
    rank.settle()
    if rank.failure is None or over.wait(GRACE_SECONDS):
        return
    with suppress(OSError):
        write_failure(folder, rank.failure)
    os._exit(1)


def _first_failure(ranks: Sequence[Rank]) -> Failure | None:
    """Why another process ended: asked when this one lost its connection."""
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        for rank in ranks:
            if rank.failure is not None:
                return rank.failure
        time.sleep(0.05)
    return None


def _meet(rank: int, count: int, port: int) -> Any:
    """The place where the processes find one another; rank 0 takes a free port."""
    import torch

    return torch.distributed.TCPStore(  # type: ignore[attr-defined]
        HOST,
        port,
        count,
        is_master=rank == 0,
        timeout=PATIENCE,
        wait_for_workers=False,
    )


def _join(rank: int, count: int, store: Any) -> None:
    """Take a place among the processes, before accelerate looks for them."""
    import torch

    places = {"RANK": rank, "LOCAL_RANK": rank}
    sizes = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    os.environ.update({k: str(v) for k, v in (places | sizes).items()})
    os.environ.update(MASTER_ADDR=HOST, MASTER_PORT=str(store.port))
    # Without it accelerate sets a number of threads of its own, and so other bits.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    on_gpus = torch.cuda.is_available()
    if on_gpus:
        torch.cuda.set_device(rank)
    else:
        os.environ["ACCELERATE_USE_CPU"] = "true"
    torch.distributed.init_process_group(
        "nccl" if on_gpus else "gloo",
        store=store,
        rank=rank,
        world_size=count,
        timeout=PATIENCE,
    )


def _be_a_rank(job: Job, number: int, channel: Connection, parent: int) -> None:
    """Take part in the cell as one of its further processes; never returns."""
    # Rank 0 is asked to stop, and tells the others between two iterations.
    signal.set_wakeup_fd(-1)
    for asking in ASKING:
        signal.signal(asking, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    code = 1
    try:
        port = _awaited(channel)
        if port is not None:
            _take_part(job, number, port)
        code = 0
    except Interrupted:
        code = 0
    except BaseException as error:  # noqa: BLE001 - as a plugin may raise
        traceback.print_exc()
        with suppress(OSError):
            channel.send_bytes(json.dumps(asdict(classify(error, job.cell))).encode())
    finally:
        leave(code)


def _awaited(channel: Connection) -> int | None:
    """The port at which the processes meet; None if this one is not wanted."""
    try:
        return int(channel.recv_bytes())
    except EOFError:
        return None


def _take_part(job: Job, number: int, port: int) -> None:
    """Train as rank 0 does."""
    import numpy as np

    from harness.execution.prepare_cell import open_job_data, prepare_run
    from harness.training.train_cell import train_cell

    # Else it would draw what rank 0 draws where a plugin seeds nothing.
    np.random.seed()  # noqa: NPY002 - it is that state which was copied
    _join(number, job.cell.processes, _meet(number, job.cell.processes, port))
    data = open_job_data(job)
    _, splits, run = prepare_run(job, data)
    train_cell(run, splits, data)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
