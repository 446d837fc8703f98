"""A worker's standard streams, whatever a plugin does to them."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path

_KEPT_FROM = 200
"""File descriptors below are easily closed in a row."""


def redirect(log: Path) -> None:
    """Append what this process prints to `log`, and give it nothing to read."""
    silence = os.open(os.devnull, os.O_RDWR)
    try:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:
        target = silence
    os.dup2(silence, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)
    for handle in {silence, target} - {0, 1, 2}:
        os.close(handle)


class Streams:
    """Standard output and error as they were when the worker began.

    Once a plugin has closed their descriptors, the next file that is opened gets
    their numbers, and what is printed would end up in a checkpoint or a result.
    """

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # What can't be encoded is no reason for a cell to fail.
                stream.reconfigure(line_buffering=True, errors="backslashreplace")
        self._known = {number: _identity(number) for number in (1, 2)}
        self._kept = self._keep()

    def _keep(self) -> int:
        import fcntl

        try:
            return fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, _KEPT_FROM)
        except OSError:
            return -1

    def mend(self) -> None:
        """Occupy closed descriptors again, and print no more to those of others."""
        for number in (0, 1, 2):
            if _identity(number) is None:
                self._occupy(number)
            elif self._known.get(number) not in (None, _identity(number)):
                self._turn_away(number)

    def _occupy(self, number: int) -> None:
        with suppress(OSError):
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
        if number and _identity(self._kept) == self._known[number]:
            with suppress(OSError):
                os.dup2(self._kept, number)

    def _turn_away(self, number: int) -> None:
        if _identity(self._kept) == self._known[number]:
            stream = open(  # noqa: SIM115 - it lives as long as the process
                self._kept, "w", closefd=False, errors="backslashreplace"
            )
        else:
            stream = open(os.devnull, "w")  # noqa: SIM115, PTH123
        if number == 1:
            sys.stdout = stream
        else:
            sys.stderr = stream


def _identity(number: int) -> tuple[int, int] | None:
    """Which file a descriptor stands for; None if it is closed."""
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def leave(code: int) -> None:
    """End this process now, whatever threads a plugin has left running."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)
