"""How much faster a network is without half of its channels.

Run with `make bench`.
"""

import importlib
from time import perf_counter

import pytest
import torch

from harness.catalog import Catalog

LEADS, SAMPLES, CLASSES = 12, 1000, 5
BATCHES = [1, 64]
REPEATS, MOST = 15, 0.9


@pytest.fixture(scope="module", params=["cnn1d", "resnet1d"])
def networks(request):
    """A network of default size, and the same without half of its channels."""
    catalog = Catalog.discover()
    strategy = catalog.load("strategy", "structured-pruning")
    channels = importlib.import_module(f"{strategy.__module__}.channels")
    dense = catalog.load("model", request.param)().build(LEADS, SAMPLES, CLASSES)
    removable = channels.Channels(dense, LEADS, SAMPLES)
    return dense.eval(), removable.pruned(
        dense, 0.5, lambda group: group.importance("l2")
    )


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("batch", BATCHES)
def test_a_forward_of_the_pruned_network_is_faster(benchmark, networks, batch):
    """By the fastest of several turns: what else the machine does only ever adds."""
    dense, pruned = networks
    signals = torch.randn(batch, LEADS, SAMPLES)
    times = {dense: [], pruned: []}

    def forward(network):
        began = perf_counter()
        network(signals)
        times[network].append(perf_counter() - began)

    with torch.no_grad():
        for _ in range(REPEATS if benchmark.enabled else 0):
            forward(dense)
            forward(pruned)
        benchmark(forward, pruned)
    if benchmark.enabled:
        ratio = min(times[pruned]) / min(times[dense])
        benchmark.extra_info |= {"dense": min(times[dense]), "ratio": ratio}
        assert ratio < MOST
