"""The limits of a cell: time, memory, and standing still."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil

from harness.execution.failure import Failure
from harness.options import Execution
from harness.results.claim import LONGEST_LOOK_SECONDS, heartbeat_of

GIB = 2**30
MEMORY_LOOK_SECONDS = 0.5


class Watchdog:
    """Watches one worker from outside, on this process's own clock.

    Parameters
    ----------
    execution
        The limits.
    folder
        The cell's, where its worker says how far it has come.
    spent_seconds
        What earlier attempts took of the cell's time limit.
    """

    def __init__(
        self, execution: Execution, folder: Path, spent_seconds: float = 0.0
    ) -> None:
        self.progress = ""
        self._execution = execution
        self._folder = folder
        self._at: Any = None
        self._looked = time.monotonic()
        self._age, self._still = spent_seconds, 0.0
        self._memory_seen = 0.0

    def look(self, pid: int) -> Failure | None:
        """The limit that the worker has gone beyond, if any."""
        beat = heartbeat_of(self._folder)
        self.progress = str(beat.get("progress", ""))
        now = time.monotonic()
        # Who was stopped, perhaps together with the worker, has seen nothing then.
        passed = min(now - self._looked, LONGEST_LOOK_SECONDS)
        self._looked = now
        self._age += passed
        # One that holds Python's lock writes nothing at all, which looks the same.
        at = beat.get("ticks"), self.progress
        self._still = self._still + passed if at == self._at else 0.0
        self._at = at
        return self._late() or self._stalled() or self._too_big(pid, now)

    def _late(self) -> Failure | None:
        minutes = self._execution.time_limit_minutes
        if minutes is None or self._age <= 60 * minutes:
            return None
        return Failure("time-limit", f"took more than {minutes:g} minutes")

    def _stalled(self) -> Failure | None:
        minutes = self._execution.stall_minutes
        if minutes is None or self._still <= 60 * minutes:
            return None
        return Failure(
            "stalled",
            f"made no progress for {minutes:g} minutes (stall_minutes), at: "
            f"{self.progress or 'starting'}",
        )

    def _too_big(self, pid: int, now: float) -> Failure | None:
        limit = self._execution.memory_limit_gib
        if limit is None or now - self._memory_seen < MEMORY_LOOK_SECONDS:
            return None
        self._memory_seen = now
        used = resident_bytes(pid) / GIB
        if used <= limit:
            return None
        return Failure(
            "memory-limit",
            f"took {used:.2f} GiB of memory, and memory_limit_gib is {limit:g}; a "
            "smaller budget.micro_batch or a smaller memory_budget_gib takes less",
        )


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all that descend from it."""
    total = 0
    try:
        family = [psutil.Process(pid)]
        family += family[0].children(recursive=True)
    except psutil.Error:
        return 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue
    return total
