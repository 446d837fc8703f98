"""Processes that can be told from every other one, wherever and whenever they ran."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import psutil

JOB_VARIABLE = "HARNESS_JOB"
"""What names the cluster's job that works on a cell: the same each time that the job is
started, and another one for every other job of whatever cluster.
"""
_DEAD = ("Z", "X")
"""States of a process that is over, but that its parent hasn't asked about yet."""


def machine() -> str:
    """Where a process number means the same: host name, boot id and pid namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Containers of one machine share its boot, but not its process numbers.
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot, space = f"{psutil.boot_time():.0f}", ""
    return f"{socket.gethostname()} {boot} {space}".strip()


def this_process() -> dict[str, Any]:
    """What tells this process from every other, as plain data."""
    pid = os.getpid()
    _, started = _look_up(pid)
    told = {"machine": machine(), "pid": pid, "started": started}
    job = os.environ.get(JOB_VARIABLE)
    return {**told, "job": job} if job else told


def is_alive(holder: dict[str, Any]) -> bool | None:
    """Whether the process that `this_process` told of still runs.

    None if that can't be seen from here: it ran on another machine, or the system
    hides the processes of its user.
    """
    pid = holder.get("pid")
    job = os.environ.get(JOB_VARIABLE)
    if job and holder.get("job") == job and holder.get("machine") != machine():
        # The cluster put the job back, and lets it run in one place at a time.
        return False
    if holder.get("machine") != machine() or not isinstance(pid, int) or pid < 1:
        return None
    try:
        state, started = _look_up(pid)
    except (OSError, psutil.Error):
        return None if _exists(pid) else False
    # The number of a process that is over is given to a later one.
    return state not in _DEAD and started == holder.get("started")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _look_up(pid: int) -> tuple[str, float]:
    """A process's state (a letter) and start, on a clock that nobody sets.

    Raises
    ------
    OSError, psutil.Error
        If it can't be seen.
    """
    if not Path("/proc/self/stat").exists():
        process = psutil.Process(pid)
        dead = process.status() == psutil.STATUS_ZOMBIE
        return "Z" if dead else "R", process.create_time()
    # Where psutil has a start time from the wall clock, this is in ticks since boot:
    # setting the clock must not make a living process look like another one. The
    # name, in parentheses, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], float(fields[19])
