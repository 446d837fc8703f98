"""Exactly one process works on a cell: numbered claims that only one can create.

A claim is taken by creating `claim-N.json` exclusively; it is stale when its process
is gone or its heartbeat stands still, and is then overtaken by creating the next
number. The highest number holds. Nothing is ever locked, and no file time is read, so
that shared file systems and wrong clocks do no harm.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.results.files import read_json

_CLAIM = re.compile(r"claim-(\d+)\.json")
STANDSTILL_SECONDS = 60.0
"""How long a heartbeat may stand still, on the observer's clock."""


@dataclass(frozen=True)
class Claim:
    """A folder held by this process."""

    folder: Path
    number: int

    @property
    def is_held(self) -> bool:
        """False once another process has overtaken the claim, taking it for dead."""
        return highest_claim(self.folder) == self.number

    def beat(self, counter: int, progress: str) -> None:
        """Show that this process lives, and what it is at."""
        path = self.folder / f"heartbeat-{self.number}.json"
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps({"counter": counter, "progress": progress}))
        temporary.replace(path)

    def release(self) -> None:
        """Give the folder free."""
        for number in range(1, self.number + 1):
            (self.folder / f"heartbeat-{number}.json").unlink(missing_ok=True)
            (self.folder / f"heartbeat-{number}.new").unlink(missing_ok=True)
            (self.folder / f"claim-{number}.json").unlink(missing_ok=True)


def take_claim(folder: Path, is_stale: Callable[[Path, int], bool]) -> Claim | None:
    """Claim a folder; None if a living process holds it, or was faster.

    Parameters
    ----------
    folder
        Made if it doesn't exist.
    is_stale
        Judges the claim that stands, by folder and number: `Observer.is_stale`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = highest_claim(folder)
    if number and not is_stale(folder, number):
        return None
    path = folder / f"claim-{number + 1}.json"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return None
    with os.fdopen(handle, "w") as stream:
        json.dump(_holder(), stream)
        stream.flush()
        os.fsync(stream.fileno())
    return Claim(folder, number + 1)


def highest_claim(folder: Path) -> int:
    """The number of the claim that holds, 0 if there is none."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return 0
    return max(
        (int(m[1]) for name in names if (m := _CLAIM.fullmatch(name))), default=0
    )


def progress_of(folder: Path) -> str:
    """What the holder last said that it was at; empty if it said nothing."""
    try:
        beat = read_json(folder / f"heartbeat-{highest_claim(folder)}.json")
        return str(beat["progress"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


class Observer:
    """Judges claims of other processes: at once on this machine, else by heartbeat."""

    def __init__(self, standstill_seconds: float = STANDSTILL_SECONDS) -> None:
        self._standstill = standstill_seconds
        self._seen: dict[tuple[Path, int], tuple[Any, float]] = {}

    def is_stale(self, folder: Path, number: int) -> bool:
        """Whether nobody works under that claim any more."""
        holder = _read(folder / f"claim-{number}.json")
        if holder.get("machine") == machine():
            return not _is_alive(holder)
        return self._stands_still(folder, number)

    def _stands_still(self, folder: Path, number: int) -> bool:
        counter = _read(folder / f"heartbeat-{number}.json").get("counter")
        now = time.monotonic()
        before, since = self._seen.setdefault((folder, number), (counter, now))
        if counter != before:
            self._seen[folder, number] = (counter, now)
            return False
        return now - since > self._standstill


def machine() -> str:
    """The machine, from one start to the next: host name and boot id."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = f"{psutil.boot_time():.0f}"
    return f"{socket.gethostname()} {boot}"


def _holder() -> dict[str, Any]:
    pid = os.getpid()
    started = psutil.Process(pid).create_time()
    return {"machine": machine(), "pid": pid, "started": started}


def _is_alive(holder: dict[str, Any]) -> bool:
    """Whether the holder's process runs, and not a later one of its number."""
    try:
        process = psutil.Process(holder["pid"])
        same = abs(process.create_time() - holder["started"]) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _read(path: Path) -> dict[str, Any]:
    """A claim's content; empty while it is being written, or if it is damaged."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
