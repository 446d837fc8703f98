"""What went wrong with a cell, in a class that decides what to do about it."""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.cell import Cell
from harness.errors import (
    CellError,
    CheckpointError,
    ConfigError,
    DataError,
    HarnessError,
    PluginError,
)

Kind = Literal[
    "config",
    "data",
    "plugin",
    "checkpoint",
    "out-of-memory",
    "disk",
    "time-limit",
    "crash",
    "blocked",
    "error",
]


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


def classify(error: BaseException, cell: Cell) -> Failure:
    """The failure that an exception in a cell's process amounts to."""
    kind = _kind(error, cell)
    message = str(error).strip() or type(error).__name__
    if not isinstance(error, HarnessError):
        message = f"{type(error).__name__}: {message}"
    culprit = _culprit(error, cell)
    if kind == "plugin" and culprit:
        message = f"plugin {culprit}: {message}"
    trace = "".join(traceback.format_exception(error))
    return Failure(kind, " ".join(message.split()), trace)


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
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            return "disk"
    if "out of memory" in str(error) or "can't allocate memory" in str(error):
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
