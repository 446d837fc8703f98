"""Being asked to stop: by Ctrl-C or a signal, whatever a plugin does to signals.

Counted, and looked at between steps: an exception could hit anywhere.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType


@dataclass
class Asked:
    """How many of the signals have come."""

    times: int = 0


@contextmanager
def counted_signals(asked: Asked) -> Iterator[None]:
    """Count requests to stop, instead of being interrupted by them."""

    def count(_number: int, _frame: FrameType | None) -> None:
        asked.times += 1

    before = {number: signal.signal(number, count) for number in ASKING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


ASKING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
"""Signals that ask to stop after a checkpoint: Ctrl-C by other names as well."""


class Requests:
    """Listens for the signals, from the main thread.

    Parameters
    ----------
    stop
        Called, perhaps more than once, when one has come.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._numbers, self._writer = socket.socketpair()
        for end in (self._numbers, self._writer):
            end.setblocking(False)
        # The interpreter tells of every signal there, even if a plugin has put a
        # handler of its own in place of ours.
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in ASKING:
            signal.signal(number, self._handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._stop()

    def look(self) -> None:
        """Look for signals whose handlers were replaced; from any thread."""
        with suppress(OSError):
            if set(self._numbers.recv(4096)) & set(ASKING):
                self._stop()
