"""What a tracker has been told of a cell, kept beside the cell's result.

It goes with the cell's folder: whoever removes that wants to begin anew.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from harness.files.atomic import read_json, to_json, write_atomically
from harness.results.state import State


@dataclass(frozen=True)
class Told:
    """What has been told of one attempt at a cell.

    Attributes
    ----------
    sources
        Of the plugins: the same cell with other ones is told anew.
    epochs
        How many.
    state
        The last one that was told; None for a cell under way.
    """

    sources: str
    epochs: int = 0
    state: State | None = None

    def but(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return replace(self, **changes)


def memory_file(cell: Path, suite: str, tracker: str, destination: str) -> Path:
    """Where the memory of a cell lies, in its folder.

    Parameters
    ----------
    cell
        The cell's folder.
    destination
        Where the tracker writes to; it may hold a password.
    """
    digest = hashlib.sha256(destination.encode()).hexdigest()[:12]
    return cell / "trackers" / suite / f"{tracker}-{digest}.json"


def recall(path: Path, sources: str) -> Told:
    """What was told of the cell with these sources; nothing if that isn't known."""
    try:
        told = Told(**read_json(path))
    except (OSError, ValueError, TypeError):
        return Told(sources)
    # It may have been damaged, or written by hand.
    sound = type(told.epochs) is int and told.epochs >= 0
    return told if sound and told.sources == sources else Told(sources)


def remember(path: Path, told: Told) -> None:
    """Keep it, as long as the cell has a folder.

    Raises
    ------
    OSError
        If the disk is full.
    """
    for _ in range(2):
        # Who takes the cell up on another machine clears its folder of files that are
        # being written, this one included.
        with suppress(FileNotFoundError):
            if path.parents[2].is_dir():
                write_atomically(path, to_json(asdict(told)))
            return
