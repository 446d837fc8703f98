"""What metering adds to a step: the wrapper and the hooks, without any computing.

Run with `pytest tests/benchmarks --benchmark-enable`.
"""

import pytest
import torch
from torch import nn

from harness.cost.audit import is_scheduled
from harness.cost.meter import Meter


class Nothing(nn.Module):
    """A hundred parameters and no work, so that only the metering is timed."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(1, 1) for _ in range(50))

    def forward(self, signals):
        return signals


@pytest.fixture
def metered():
    net = Nothing()
    meter = Meter(train_samples=32, device=torch.device("cpu"), seed=0)
    meter.watch("model", net)
    for number in range(10_000):
        with meter.step("train"):
            if is_scheduled(0, "train", number):
                net(torch.zeros(8, 12, 1000))
    return meter, net, torch.zeros(8, 12, 1000)


def test_an_unaudited_step(benchmark, metered):
    meter, _, _ = metered

    def step():
        with meter.step("train"):
            pass

    benchmark(step)


def test_a_metered_forward(benchmark, metered):
    _, net, signals = metered
    benchmark(net, signals)


def test_a_hook_that_computes_nothing(benchmark, metered):
    meter, _, _ = metered

    def hook():
        with meter.outside("epoch_end"):
            pass

    benchmark(hook)


def test_a_step_within_a_hook(benchmark, metered):
    meter, _, _ = metered

    def step():
        with meter.step("train"):
            pass

    with meter.outside("train"):
        benchmark(step)
