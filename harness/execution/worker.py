"""The process in which one cell runs: `python -m harness.execution.worker`.

It reads a job (JSON) from standard input; what plugins print goes to the cell's
log. It ends with 0 (done), 1 (failed, see failure.json), 75 (asked to stop, the last
checkpoint stands) or 76 (another process holds the cell).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from harness.catalog import source_hash
from harness.cell import Cell
from harness.errors import ConfigError, Interrupted
from harness.execution.failure import Failure, classify
from harness.options import Execution
from harness.results.claim import Claim, Observer, take_claim
from harness.results.files import to_json, write_atomically
from harness.results.state import FAILURE, RESULT, WEIGHTS, state_of

DONE, FAILED, STOPPED, CLAIMED = 0, 1, 75, 76
BEAT_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do.

    `stale_claim` is the number of a claim that was seen to stand still, 0 if none was.
    """

    cell: Cell
    runs: Path
    execution: Execution
    stale_claim: int = 0

    def to_json(self) -> str:
        """The text that a worker reads."""
        return json.dumps(
            {
                "cell": self.cell.to_dict(),
                "runs": str(self.runs.resolve()),
                "execution": self.execution.model_dump(mode="json"),
                "stale_claim": self.stale_claim,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job that `to_json` wrote."""
        data = json.loads(text)
        execution = Execution.model_validate(data["execution"])
        cell, runs = Cell.from_dict(data["cell"]), Path(data["runs"])
        return cls(cell, runs, execution, data["stale_claim"])

    @property
    def folder(self) -> Path:
        """Where the cell's result lies."""
        return self.runs / self.cell.folder

    def may_overtake(self, folder: Path, number: int) -> bool:
        """Whether nobody works under that claim any more."""
        return number == self.stale_claim or Observer().is_stale(folder, number)


class Heart:
    """Beats in a thread while the cell runs, and notices when it should stop."""

    def __init__(self, claim: Claim, stop: Callable[[], None]) -> None:
        self.progress: Callable[[], str] = lambda: "starting"
        self._claim = claim
        self._stop = stop
        self._over = threading.Event()
        self._parent = os.getppid()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def _run(self) -> None:
        counter = 0
        while not self._over.wait(BEAT_SECONDS):
            counter += 1
            # A full disk must not end the thread: the next beat may pass.
            with suppress(OSError):
                self._claim.beat(counter, self.progress())
            # A worker whose parent was killed would hold the cell for nobody.
            if os.getppid() != self._parent or not self._claim.is_held:
                self._stop()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()


def main() -> int:
    """Run one job; the exit code says how it went."""
    job = Job.from_json(sys.stdin.read())
    folder = job.folder
    claim = take_claim(folder, job.may_overtake)
    if claim is None:
        return CLAIMED
    if state_of(job.cell, job.runs) == "done":
        claim.release()
        return DONE
    _clear(folder)
    stopping = threading.Event()
    _on_signals(stopping.set)
    heart = Heart(claim, stopping.set)
    heart.start()
    try:
        run_job(job, heart, stopping)
    except Interrupted:
        return STOPPED
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as a plugin may raise
        if not claim.is_held:
            return STOPPED
        traceback.print_exc()
        write_failure(folder, classify(error, job.cell))
        return FAILED
    finally:
        heart.stop()
        claim.release()
    return DONE


def _clear(folder: Path) -> None:
    """Take away what an earlier attempt concluded; its checkpoints stay."""
    for name in (RESULT, FAILURE, "measured.json", "predictions.npz", WEIGHTS):
        (folder / name).unlink(missing_ok=True)


def _check_sources(cell: Cell) -> None:
    """Refuse to lay a result to source that is no longer there.

    Raises
    ------
    ConfigError
        If a plugin was edited after the suite was planned.
    """
    for choice in cell.choices:
        if source_hash(choice.locator) != choice.source_hash:
            raise ConfigError(
                f"plugin {choice.name!r} was edited while the suite ran; run it again"
            )


def _on_signals(stop: Callable[[], None]) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, handle)


def write_failure(folder: Path, failure: Failure) -> None:
    """Leave `failure.json`, in place of an earlier one."""
    write_atomically(folder / FAILURE, to_json(asdict(failure)))


def run_job(job: Job, heart: Heart, stopping: threading.Event) -> None:
    """Load, train, judge and write one cell."""
    from harness.cost.energy import EnergyMeter
    from harness.data.opening import open_cell_data
    from harness.execution.result import assemble, describe_cell, write_result
    from harness.report.curves import draw_curves
    from harness.training.cell import make_run, set_determinism, train_cell
    from harness.training.checkpoint import remove_checkpoints

    started = time.monotonic()
    cell, folder = job.cell, job.folder
    _check_sources(cell)
    attempts = _count_attempt(folder)
    set_determinism(cell.budget.threads)
    heart.progress = lambda: "loading data"
    data = open_cell_data(cell)
    description = describe_cell(cell, data.index)
    write_atomically(folder / "cell.json", to_json(description))
    prepared = data.prepare()
    budget = int(job.execution.memory_budget_gib * 2**30)
    splits = data.load(prepared, budget)
    run = make_run(cell, splits, folder, job.execution)
    run.loops.stopping = stopping
    heart.progress = run.progress
    energy = EnergyMeter(run.device)
    energy.start()
    trained = train_cell(run, splits, data)
    # What earlier attempts drew is not known, and must not be left out in silence.
    joules = energy.stop() if attempts == 1 else None
    heart.progress = lambda: "writing results"
    result = assemble(cell, data, prepared, trained)
    draw_curves(run.history.rows, cell.title, folder / "curves.svg", result["weights"])
    measured = _measured(run, joules, attempts, time.monotonic() - started)
    write_atomically(folder / "measured.json", to_json(measured))
    write_result(folder, result, description, trained)
    remove_checkpoints(folder)
    (folder / "attempts").unlink(missing_ok=True)


def _count_attempt(folder: Path) -> int:
    """How many processes have worked on the cell, this one included."""
    path = folder / "attempts"
    before = path.read_text() if path.exists() else "0"
    attempts = int(before) + 1 if before.isdigit() else 1
    write_atomically(path, str(attempts))
    return attempts


def _measured(
    run: Any, joules: float | None, attempts: int, seconds: float
) -> Mapping[str, Any]:
    """All that differs from run to run."""
    from harness.cost.process import peak_rss_bytes
    from harness.execution.hardware import describe_hardware

    return {
        "schema_version": 1,
        "seconds": {**run.clock.seconds(), "last_attempt": seconds},
        "peak_rss_bytes": peak_rss_bytes(),
        "cuda_peak_bytes": run.meter.cuda_peak_bytes,
        "energy_joules": joules,
        "attempts": attempts,
        "device": str(run.device),
        "hardware": describe_hardware(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    sys.exit(main())
