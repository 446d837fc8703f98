"""What is left of a cell whose process has ended, and what it amounts to."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

from harness.execution.failure import Failure, write_failure
from harness.execution.pool import WorkerProcess
from harness.execution.worker import UNTOLD
from harness.files.atomic import read_json
from harness.results.state import FAILURE


def crash(process: WorkerProcess) -> Failure:
    """What a process has come to that ended without a word."""
    assert process.code is not None
    if process.cause:
        return Failure("crash", process.cause)
    if process.code == -signal.SIGKILL:
        return Failure(
            "killed",
            "its process was killed (SIGKILL), as the kernel does when memory runs "
            "out: fewer --workers or a smaller budget.micro_batch need less",
        )
    if process.code == UNTOLD:
        return Failure("disk", "no room is left, not even to write down why it failed")
    code = process.code
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return Failure("crash", f"its process ended without a result ({name})")


def refused_by(folder: Path) -> Failure | None:
    """Why nothing can be written to a cell's folder, if so."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".writable-"):
            return None
    except OSError as error:
        return Failure("disk", f"{error.strerror}: {folder}")


def note(folder: Path, failure: Failure) -> Failure:
    """Leave the failure in the cell's folder; what is to be told of it to people.

    A disk without room is told of: what the cell's process found can't have been left.
    """
    try:
        write_failure(folder, failure)
    except OSError as error:
        if failure.kind != "disk":
            said = f"{error.strerror}: {error.filename}; before that {failure.message}"
            return Failure("disk", said)
    return failure


def left(folder: Path) -> Failure | None:
    """The failure that the cell's process has left; None if it could leave none."""
    try:
        return Failure(**read_json(folder / FAILURE))
    except (OSError, ValueError, TypeError):
        return None
