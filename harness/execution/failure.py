"""What went wrong with a cell, and whether another attempt is worth it."""

from __future__ import annotations

import errno
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from harness.cell import Cell
from harness.errors import (
    CellError,
    CheckpointError,
    ConfigError,
    DataError,
    HarnessError,
    PeerError,
    PluginError,
)
from harness.files.atomic import to_json, write_atomically
from harness.results.state import FAILURE

Kind = Literal[
    "config",
    "data",
    "plugin",
    "checkpoint",
    "out-of-memory",
    "memory-limit",
    "disk",
    "time-limit",
    "stalled",
    "crash",
    "killed",
    "infrastructure",
    "blocked",
    "error",
]

MESSAGE_CHARACTERS = 1000
TRACEBACK_CHARACTERS = 20_000

_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cannot allocate memory",
    "alloc_failed",
)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PASSING = (
    *(errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EBUSY, errno.ENXIO, errno.ENODEV),
    *(errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN),
    *(errno.ENETUNREACH, errno.ENETRESET, errno.ECONNRESET, errno.ENOTCONN),
)
"""What a file server or a disk says that may be back in a moment."""


@dataclass(frozen=True)
class Failure:
    """`failure.json`: why a cell has no result.

    Attributes
    ----------
    message
        One line.
    traceback
        Where it happened; empty where the message says it all.
    """

    kind: Kind
    message: str
    traceback: str = ""


def write_failure(folder: Path, failure: Failure) -> None:
    """Leave `failure.json`, in place of an earlier one."""
    write_atomically(folder / FAILURE, to_json(asdict(failure)))


def classify(error: BaseException, cell: Cell) -> Failure:
    """The failure that an exception in a cell's process amounts to."""
    if isinstance(error, PeerError):
        failure: Failure = error.failure
        return failure
    kind = _kind(error, cell)
    message = str(error).strip() or type(error).__name__
    if not isinstance(error, HarnessError):
        message = f"{type(error).__name__}: {message}"
    if kind == "out-of-memory":
        # What is to be done stands first: what was wrong is long, and may be cut.
        message = f"{_needs_less(cell)}; {message}"
    culprit = _culprit(error, cell)
    if kind == "plugin" and culprit:
        message = f"plugin {culprit}: {message}"
    trace = "".join(traceback.format_exception(error))
    return Failure(kind, one_line(message), trace[-TRACEBACK_CHARACTERS:])


def one_line(text: str, most: int = MESSAGE_CHARACTERS) -> str:
    """Text of a plugin's making, fit for a terminal: one line, no control characters.

    A character that can't be shown stands as in Python's source.
    """
    line = " ".join(text[: 4 * most].split())
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in line
    )
    return shown if len(shown) <= most else f"{shown[: most - 4]} ..."


def _needs_less(cell: Cell) -> str:
    """What makes a cell need less memory, without making it another experiment."""
    budget = cell.budget
    size = min(budget.micro_batch or budget.batch_size, budget.batch_size)
    if size == 1:
        return "out of memory, with one sample at a time"
    return (
        f"out of memory with {size} samples at a time; "
        f"budget.micro_batch = {size // 2} sends a batch through in parts, and their "
        "gradients accumulate"
    )


def _kind(error: BaseException, cell: Cell) -> Kind:
    match error:
        case ConfigError() | CellError():
            return "config"
        case DataError():
            return "data"
        case CheckpointError():
            return "checkpoint"
        case PluginError():
            return "plugin"
        case MemoryError():
            return "out-of-memory"
        case OSError() if error.errno in _NO_ROOM:
            return "disk"
        case OSError() if error.errno in _PASSING:
            return "infrastructure"
    text = str(error).lower()
    if any(sign in text for sign in _NO_MEMORY):
        return "out-of-memory"
    return "plugin" if _culprit(error, cell) else "error"


def _culprit(error: BaseException, cell: Cell) -> str:
    """The plugin in whose file an error arose, with the line; empty if in none."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        for choice in cell.choices:
            path = Path(choice.locator)
            home = path.parent if path.name == "__init__.py" else path
            file = Path(frame.filename)
            if file == home or home in file.parents:
                return f"{choice.name!r} ({file.name}, line {frame.lineno})"
    return ""


RETRIED: frozenset[Kind] = frozenset({"out-of-memory", "killed", "infrastructure"})
"""What another moment may not bring again: memory that others held, a kill from
outside, a disk or network that failed. Whatever the suite, the data or a plugin says
will be the same next time, and so will a limit that was set.
"""

MOST_REQUEUES = 20
"""Of one cell that others keep stopping: a machine that never lets it work."""


def may_retry(kind: Kind) -> bool:
    """Whether another attempt at a cell that failed so may end otherwise."""
    return kind in RETRIED
