"""Exactly one process works on a cell: numbered claims that only one can create.

A claim is taken by creating `claim-N.json` exclusively; it is stale when its process
is gone or its heartbeat stands still, and is then overtaken by creating the next
number. The highest number holds. A released claim leaves its number behind as
`.released-N`, so that no number is ever used twice: who slept through its own end, or
through that of the claim it wants to overtake, can't take a later one for it.

Nothing is ever locked, and no file time is read, so that shared file systems and wrong
clocks do no harm.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.files.atomic import new_temporary, read_json
from harness.files.process_id import is_alive, this_process

_NUMBERED = re.compile(r"(?:claim-(\d{1,9})\.json|\.released-(\d{1,9}))", re.ASCII)
_BEAT_BYTES = 2048
_PROGRESS_CHARACTERS = 150

STANDSTILL_SECONDS = 60.0
"""How long a heartbeat may stand still, on the observer's clock."""
LONGEST_LOOK_SECONDS = 10.0
"""What the time between two looks counts for at most."""


@dataclass(frozen=True)
class Claim:
    """A folder held by this process."""

    folder: Path
    number: int

    @property
    def is_held(self) -> bool:
        """False once another process has overtaken the claim, taking it for dead."""
        try:
            return _last(self.folder) == (self.number, True)
        except OSError:
            # A folder that can't be read just now says nothing about its holder.
            return True

    def beat(self, counter: int, progress: str, ticks: int = 0) -> None:
        """Show that this process lives, what it is at, and how far it has come.

        The file is overwritten in place, which works on a full disk too.
        """
        progress = progress[:_PROGRESS_CHARACTERS]
        text = json.dumps({"counter": counter, "progress": progress, "ticks": ticks})
        with _beat_of(self.folder, self.number).open("r+b", buffering=0) as stream:
            stream.write(text.ljust(_BEAT_BYTES).encode())

    def release(self) -> None:
        """Give the folder free; a claim that can't be removed is found to be stale."""
        with suppress(OSError):
            _claim_of(self.folder, self.number).replace(
                self.folder / f".released-{self.number}"
            )
        with suppress(OSError):
            _beat_of(self.folder, self.number).unlink(missing_ok=True)


def take_claim(folder: Path, is_stale: Callable[[Path, int], bool]) -> Claim | None:
    """Claim a folder; None if a living process holds it, or was faster.

    Who gets the claim must look again at what is in the folder: the holder before may
    have finished after it was last looked at.

    Parameters
    ----------
    folder
        Made if it doesn't exist.
    is_stale
        Judges the claim that stands, by folder and number: `Observer.is_stale`.

    Raises
    ------
    OSError
        If the folder can't be read or written, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last, held = _last(folder)
    if held and not is_stale(folder, last):
        return None
    claim = Claim(folder, last + 1)
    path = _claim_of(folder, claim.number)
    if not _create(path):
        return None
    if _last(folder) != (claim.number, True):
        # The number was taken and released while this process looked at the one before.
        path.unlink(missing_ok=True)
        return None
    try:
        _beat_of(folder, claim.number).write_bytes(b"{}".ljust(_BEAT_BYTES))
    except OSError:
        claim.release()
        raise
    _remove_older(claim)
    return claim


def highest_claim(folder: Path) -> int:
    """The number of the claim that holds, 0 if there is none."""
    try:
        number, held = _last(folder)
    except OSError:
        return 0
    return number if held else 0


def progress_of(folder: Path) -> str:
    """What the holder last said that it was at; empty if it said nothing."""
    return str(heartbeat_of(folder).get("progress", ""))


def heartbeat_of(folder: Path) -> dict[str, Any]:
    """What the holder last said: `counter`, `progress` and `ticks`; or nothing."""
    return _read(_beat_of(folder, highest_claim(folder)))


@dataclass
class _Standing:
    """A heartbeat that was looked at: its counter, when, and for how long the same."""

    counter: Any
    looked: float
    seconds: float = 0.0


class Observer:
    """Judges claims of other processes: at once on this machine, else by heartbeat."""

    def __init__(self, standstill_seconds: float = STANDSTILL_SECONDS) -> None:
        self._standstill = standstill_seconds
        self._seen: dict[tuple[Path, int], _Standing] = {}

    def is_stale(self, folder: Path, number: int) -> bool:
        """Whether nobody works under that claim any more.

        Another machine's claim is to be looked at again and again: one look tells
        nothing.
        """
        alive = is_alive(_read(_claim_of(folder, number)))
        return self._stands_still(folder, number) if alive is None else not alive

    def _stands_still(self, folder: Path, number: int) -> bool:
        counter = _read(_beat_of(folder, number)).get("counter")
        now = time.monotonic()
        seen = self._seen.get((folder, number))
        if seen is None or counter != seen.counter:
            self._seen[folder, number] = _Standing(counter, now)
            return False
        # Who was stopped, or blocked by the same file server, has seen nothing then.
        seen.seconds += min(now - seen.looked, LONGEST_LOOK_SECONDS)
        seen.looked = now
        return seen.seconds > self._standstill


def _claim_of(folder: Path, number: int) -> Path:
    return folder / f"claim-{number}.json"


def _beat_of(folder: Path, number: int) -> Path:
    return folder / f"heartbeat-{number}.json"


def _last(folder: Path) -> tuple[int, bool]:
    """The highest number that was ever taken, 0 if none, and whether it still holds."""
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return 0, False
    taken, released = {0}, {0}
    for match in map(_NUMBERED.fullmatch, names):
        if match:
            (taken if match[1] else released).add(int(match[1] or match[2]))
    return max(taken | released), max(taken) > max(released)


def _create(path: Path) -> bool:
    """Create a claim with its content at once; False if somebody else has."""
    handle, temporary = new_temporary(path)
    try:
        with os.fdopen(handle, "w") as stream:
            json.dump(this_process(), stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        return _link(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _link(source: Path, path: Path) -> bool:
    """Give a file a second name, which only one of several can get."""
    try:
        path.hardlink_to(source)
    except FileExistsError:
        # Asked twice, since its first answer was lost, a file server says so as well.
        return source.stat().st_nlink == 2
    except OSError:
        return _write_new(path, source.read_text())
    return True


def _write_new(path: Path, text: str) -> bool:
    """As `_link` where a file system has no links: the content follows the name."""
    try:
        with path.open("x") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    return True


def _remove_older(claim: Claim) -> None:
    for path in claim.folder.iterdir():
        match = re.fullmatch(
            r"(?:claim-|heartbeat-|\.released-)(\d{1,9})(?:\.json)?", path.name
        )
        if match and int(match[1]) < claim.number:
            with suppress(OSError):
                path.unlink()


def _read(path: Path) -> dict[str, Any]:
    """What a claim or a heartbeat says; nothing if it is missing or damaged."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
