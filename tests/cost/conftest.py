"""The small network, a batch for it and a meter that watches it."""

import pytest
import torch
from small_net import BATCH, CLASSES, LEADS, SAMPLES, SmallNet

from harness.cost.meter import Meter


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return SmallNet()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    signals = torch.randn(BATCH, LEADS, SAMPLES, generator=generator)
    return signals, torch.randint(CLASSES, (BATCH,), generator=generator)


@pytest.fixture
def meter(net):
    made = Meter(train_samples=32, device=torch.device("cpu"), seed=0)
    made.watch("model", net)
    return made
