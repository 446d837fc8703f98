"""How often a command was asked to stop.

Counted, and looked at between steps: an exception could hit anywhere.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from harness.execution.requests import ASKING


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
