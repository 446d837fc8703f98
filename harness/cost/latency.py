"""How long one forward takes, as measured."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from harness.cost.clock import synchronise

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

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
