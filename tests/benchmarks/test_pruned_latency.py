"""How much faster a network is without half of its channels.

Run with `pytest tests/benchmarks --benchmark-enable`.
"""

import importlib
from time import perf_counter

import pytest
import torch

from harness.catalog import Catalog

LEADS, SAMPLES, CLASSES = 12, 1000, 5
BATCHES = [1, 64]
REPEATS = 15


@pytest.fixture(scope="module", params=["cnn1d", "resnet1d"])
def networks(request):
    """A network of default size, and the same without half of its channels."""
    catalog = Catalog.discover()
    strategy = catalog.load("strategy", "structured-pruning")
    channels = importlib.import_module(f"{strategy.__module__}.channels")
    dense = catalog.load("model", request.param)().build(LEADS, SAMPLES, CLASSES)
    removable = channels.Channels(dense, LEADS, SAMPLES)
    return dense.eval(), removable.pruned(dense, 0.5, "l2")


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("which", [0, 1], ids=["dense", "pruned"])
def test_a_forward(benchmark, networks, which, batch):
    with torch.no_grad():
        benchmark(networks[which], torch.randn(batch, LEADS, SAMPLES))


@pytest.mark.parametrize("batch", BATCHES)
def test_the_pruned_network_is_faster(networks, batch):
    """The fastest of several turns: what else the machine does only ever adds."""
    signals = torch.randn(batch, LEADS, SAMPLES)
    fastest = [float("inf")] * 2
    with torch.no_grad():
        for _ in range(REPEATS):
            for i, network in enumerate(networks):
                started = perf_counter()
                network(signals)
                fastest[i] = min(fastest[i], perf_counter() - started)
    dense, pruned = fastest
    assert pruned < 0.9 * dense
