"""The median time of a call, in a limited time."""

import time

import pytest
import torch

from harness.cost.clock import MOST_CALLS, WARM_UP_CALLS, median_seconds

CPU = torch.device("cpu")


def sleeping(*seconds):
    """Takes so long, call by call; the last of them from then on."""
    calls = iter(seconds)
    taken = []

    def call():
        taken.append(next(calls, seconds[-1]))
        time.sleep(taken[-1])

    return call, taken


def test_the_first_calls_do_not_count():
    call, taken = sleeping(*[0.05] * WARM_UP_CALLS, 0.002)
    assert median_seconds(call, CPU) == pytest.approx(0.002, abs=0.02)
    assert len(taken) > WARM_UP_CALLS


def test_quick_calls_end_long_before_the_time_is_over():
    call, taken = sleeping(0.0)
    began = time.perf_counter()
    median_seconds(call, CPU, seconds=60)
    assert time.perf_counter() - began < 30
    assert len(taken) == WARM_UP_CALLS + MOST_CALLS


def test_a_slow_call_is_measured_once():
    call, taken = sleeping(0.05)
    assert median_seconds(call, CPU, seconds=0.01) >= 0.05
    assert len(taken) == 1
