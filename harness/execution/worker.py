"""The process in which one cell runs.

On this machine it is forked by `harness.execution.fork_server`; elsewhere it is started
as `python -m harness.execution.worker`, and reads its job (JSON) from standard input.
What plugins print goes to the cell's log. It ends with 0 (done), 1 (failed, see
failure.json), 74 (failed, and failure.json can't be written), 75 (asked to stop, the
last checkpoint stands) or 76 (another process holds the cell).
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import Interrupted
from harness.execution.cell_processes import Rank, end_ranks, fork_ranks, joined
from harness.execution.failure import Failure, classify, write_failure
from harness.execution.heartbeat import Heart
from harness.execution.job import Job
from harness.execution.stop_signals import Requests
from harness.execution.streams import Streams, leave
from harness.files.atomic import remove_temporaries, to_json, write_atomically
from harness.results.claim import highest_claim, take_claim
from harness.results.state import FAILURE, KEPT, RESULT, WEIGHTS, state_of

if TYPE_CHECKING:
    from harness.training.train_cell import Trained


DONE, FAILED, UNTOLD, STOPPED, CLAIMED = 0, 1, 74, 75, 76
ATTEMPTS = "attempts"


def main() -> int:
    """Run the job on standard input; the exit code says how it went."""
    parent = os.getppid()
    return work(Job.from_json(sys.stdin.read()), parent)


def work(job: Job, parent: int) -> int:
    """Run one job; the exit code says how it went.

    Parameters
    ----------
    parent
        Process number of whoever waits for it: once that is gone, the cell stops.
    """
    stopping = threading.Event()
    requests = Requests(stopping.set)
    try:
        claim = take_claim(job.folder, job.may_overtake)
    except OSError as error:
        return _failed(job, error)
    if claim is None:
        return CLAIMED
    try:
        done = state_of(job.cell, job.runs) == "done"
        ranks = [] if done else fork_ranks(job)
    except OSError as error:
        claim.release()
        return _failed(job, error)
    streams = Streams()
    heart = Heart(claim, stopping.set, parent, (streams.mend, requests.look))
    heart.start()
    try:
        if not done:
            _clear(job.folder)
            run_job(job, heart, stopping, ranks)
    except BaseException as error:  # noqa: BLE001 - as a plugin may raise
        streams.mend()
        if not claim.is_held:
            return _lost(job)
        return STOPPED if isinstance(error, Interrupted) else _failed(job, error)
    finally:
        end_ranks(ranks)
        heart.stop()
        claim.release()
    return DONE


def _failed(job: Job, error: BaseException) -> int:
    """Tell why; the parent does where the disk has no room for it."""
    with suppress(Exception):
        traceback.print_exception(error)
    try:
        write_failure(job.folder, classify(error, job.cell))
    except OSError:
        return UNTOLD
    return FAILED


def _lost(job: Job) -> int:
    """The claim is gone: to another process, or with the whole folder."""
    overtaken = highest_claim(job.folder) or (job.folder / ATTEMPTS).exists()
    if overtaken or state_of(job.cell, job.runs) == "done":
        return STOPPED
    with suppress(OSError):
        write_failure(job.folder, Failure("error", "its folder was removed meanwhile"))
    return FAILED


def _clear(folder: Path) -> None:
    """Take away what an earlier attempt concluded; its checkpoints stay."""
    results = (RESULT, FAILURE, "measured.json", "predictions.npz", WEIGHTS, KEPT)
    for name in results:
        (folder / name).unlink(missing_ok=True)
    remove_temporaries(folder)


def run_job(
    job: Job, heart: Heart, stopping: threading.Event, ranks: Sequence[Rank]
) -> None:
    """Load, train, judge and write one cell, with the cell's other processes."""
    from harness.cost.machine import EnergyMeter
    from harness.execution.prepare_cell import open_job_data, prepare_run
    from harness.execution.result import assemble, describe_cell, write_result
    from harness.report.plots.cell_curves import draw_curves
    from harness.training.checkpoint import remove_checkpoints
    from harness.training.train_cell import train_cell

    started = time.monotonic()
    cell, folder = job.cell, job.folder
    attempts = _count_attempt(folder)
    heart.progress = lambda: "loading data"
    with joined(job, ranks):
        data = open_job_data(job)
        description = describe_cell(cell, data.index)
        write_atomically(folder / "cell.json", to_json(description))
        prepared, splits, run = prepare_run(job, data)
        run.loops.stopping = stopping
        heart.progress, heart.ticks = run.progress, lambda: run.loops.ticks
        energy = EnergyMeter(run.processes.devices)
        energy.start()
        trained = train_cell(run, splits, data)
        # What earlier attempts drew is not known; it must not be left out in silence.
        joules = energy.stop() if attempts == 1 else None
    heart.progress = lambda: "writing results"
    result = assemble(cell, data, prepared, trained)
    draw_curves(run.history.rows, cell.title, folder / "curves.svg", result["weights"])
    measured = _measured(trained, joules, attempts, time.monotonic() - started)
    write_atomically(folder / "measured.json", to_json(measured))
    write_result(folder, result, description, trained, heart.check)
    remove_checkpoints(folder)
    (folder / ATTEMPTS).unlink(missing_ok=True)


def _count_attempt(folder: Path) -> int:
    """How many processes have worked on the cell, this one included."""
    path = folder / ATTEMPTS
    before = path.read_bytes()[:9] if path.exists() else b""
    attempts = int(before) + 1 if before.isdigit() else 1
    write_atomically(path, str(attempts))
    return attempts


def _measured(
    trained: Trained, joules: float | None, attempts: int, seconds: float
) -> Mapping[str, Any]:
    """All that differs from run to run."""
    from harness.execution.hardware import describe_hardware

    run = trained.run
    return {
        "schema_version": 1,
        "seconds": {**run.clock.seconds(), "last_attempt": seconds},
        "peak_rss_bytes": trained.peak_rss_bytes,
        "cuda_peak_bytes": trained.cuda_peak_bytes,
        "latency_seconds": trained.latency_seconds,
        "energy_joules": joules,
        "attempts": attempts,
        "device": str(run.device),
        "hardware": describe_hardware(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    leave(main())
