"""Several processes of one cell: started, joined and ended together.

The worker is rank 0; it starts the others as `python -m harness.execution.ranks` and
tells them where to meet. accelerate then finds them as it finds those of torchrun.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from harness.errors import Interrupted, PeerError
from harness.execution.failure import Failure, classify, write_failure
from harness.execution.job import Job
from harness.execution.streams import leave

HOST = "127.0.0.1"
# The watchdog ends what hangs; a rank may wait for a long evaluation of another.
PATIENCE = timedelta(days=1)
GRACE_SECONDS = 15.0
"""How long a process may take to notice by itself that another has ended."""


@dataclass
class _Rank:
    number: int
    process: subprocess.Popen[str]
    told: int
    """The pipe on which it tells of its failure."""
    failure: Failure | None = field(default=None)

    def settle(self) -> None:
        """Read what it left; called once it has ended."""
        code = self.process.wait()
        with os.fdopen(self.told, encoding="utf-8") as stream:
            text = stream.read()
        if text:
            self.failure = Failure(**json.loads(text))
        elif code < 0:
            self.failure = Failure("killed", f"its process {self.number} was killed")
        elif code:
            self.failure = Failure("crash", f"its process {self.number} ended ({code})")


@contextmanager
def others(job: Job) -> Iterator[None]:
    """The other processes of the cell, alive within; nothing where it has one.

    Raises
    ------
    PeerError
        If one of them failed, which is then the cell's failure.
    """
    count = job.cell.processes
    if count == 1:
        yield
        return
    store = _meet(0, count, 0)
    ranks = [_start(job, number, count, store.port) for number in range(1, count)]
    over = threading.Event()
    for rank in ranks:
        threading.Thread(
            target=_watch, args=(rank, job.folder, over), daemon=True
        ).start()
    try:
        _join(0, count, store)
        yield
    except Exception as error:
        failure = _first_failure(ranks)
        if failure is not None:
            raise PeerError(failure) from error
        raise
    finally:
        over.set()
        for rank in ranks:
            rank.process.kill()
            rank.process.wait()


def _start(job: Job, number: int, count: int, port: int) -> _Rank:
    told, tells = os.pipe()
    request = {
        "rank": number,
        "count": count,
        "port": port,
        "tells": tells,
        "parent": os.getpid(),
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "harness.execution.ranks"],
        stdin=subprocess.PIPE,
        text=True,
        pass_fds=[tells],
    )
    os.close(tells)
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(request) + "\n" + job.to_json())
        process.stdin.close()
    return _Rank(number, process, told)


def _watch(rank: _Rank, folder: Path, over: threading.Event) -> None:
    """End this process, too, if another ends badly and the backend doesn't notice."""
    rank.settle()
    if rank.failure is None or over.wait(GRACE_SECONDS):
        return
    with suppress(OSError):
        write_failure(folder, rank.failure)
    os._exit(1)


def _first_failure(ranks: list[_Rank]) -> Failure | None:
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


def main() -> int:
    """Take part in a cell as one of its further processes."""
    import signal

    # Rank 0 is asked to stop, and tells the others between two iterations.
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    request = json.loads(sys.stdin.readline())
    job = Job.from_json(sys.stdin.read())
    threading.Thread(target=_end_with, args=(request["parent"],), daemon=True).start()
    try:
        _take_part(job, request)
    except Interrupted:
        return 0
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as a plugin may raise
        traceback.print_exc()
        with os.fdopen(request["tells"], "w", encoding="utf-8") as stream:
            json.dump(asdict(classify(error, job.cell)), stream)
        return 1
    return 0


def _take_part(job: Job, request: dict[str, int]) -> None:
    from harness.execution.cell_process import open_job_data, prepare_run
    from harness.training.cell import train_cell

    rank, count = request["rank"], request["count"]
    _join(rank, count, _meet(rank, count, request["port"]))
    data = open_job_data(job)
    _, splits, run = prepare_run(job, data)
    train_cell(run, splits, data)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    leave(main())
