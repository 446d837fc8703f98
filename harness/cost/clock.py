"""Time as measured: of a run by what it was spent on, of one forward."""

from __future__ import annotations

from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class Clock:
    """Seconds by name, e.g. training, evaluation, data_wait, checkpoint.

    Nested measurements don't overlap: time spent in the inner one is not in the
    outer one. The device is synchronised at each border, where it takes part.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: dict[str, float] = {}
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def measure(self, name: str, *, on_device: bool = True) -> Iterator[None]:
        """Charge the time within to `name`.

        `on_device=False` is for work of the CPU alone within a step: the device isn't
        waited for, so that it can go on with what it was given.
        """
        self._charge(on_device=on_device)
        self._running.append(name)
        try:
            yield
        finally:
            self._charge(on_device=on_device)
            self._running.pop()

    def _charge(self, *, on_device: bool = True) -> None:
        if on_device:
            synchronise(self._device)
        now = perf_counter()
        if self._running:
            name = self._running[-1]
            self._seconds[name] = self._seconds.get(name, 0.0) + now - self._since
        self._since = now

    def seconds(self) -> dict[str, float]:
        """Seconds so far, by name, all attempts together."""
        if self._running:
            self._charge()
        return dict(self._seconds)

    def state_dict(self) -> dict[str, float]:
        """Plain data with which a resumed attempt goes on."""
        return self.seconds()

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Add this to what earlier attempts took, in place of what was measured."""
        self._charge()
        self._seconds = dict(state)


WARM_UP_CALLS = 3
MOST_CALLS = 51
SECONDS = 0.5
"""Of one measurement, warm-up included; a call that was begun is finished."""


def median_seconds(
    forward: Callable[[], object], device: torch.device, seconds: float = SECONDS
) -> float:
    """The median time of one call, the device waited for before and after.

    The first calls choose kernels and fill caches, and aren't counted, unless they
    alone take longer than there is time.
    """
    end = perf_counter() + seconds
    times: list[float] = []
    for _ in range(WARM_UP_CALLS + MOST_CALLS):
        times.append(_seconds(forward, device))
        if perf_counter() >= end:
            break
    return median(times[WARM_UP_CALLS:] or times[-1:])


def _seconds(forward: Callable[[], object], device: torch.device) -> float:
    synchronise(device)
    started = perf_counter()
    forward()
    synchronise(device)
    return perf_counter() - started
