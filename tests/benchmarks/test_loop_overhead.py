"""The standard loop beside a loop written by hand, on the same steps.

Run with `make bench`: the two rows of a group are the two sides of a ratio.
"""

import pytest
import torch
from small_runs import make_run
from torch.nn import functional

from harness.data.order import batches, epoch_order

RECORDS, BATCH = 256, 32


@pytest.fixture
def ready(tmp_path):
    run = make_run(tmp_path, records=RECORDS, batch_size=BATCH, epochs=1)
    run.execute()
    run.model.train()
    return run


@pytest.mark.benchmark(group="an epoch of 8 steps of a tiny network")
def test_by_hand(benchmark, ready):
    def epoch():
        for positions in batches(epoch_order(RECORDS, 0), BATCH):
            batch = ready.train.batch(positions)
            loss = functional.cross_entropy(ready.model(batch.signals), batch.labels)
            ready.optimizer.zero_grad()
            loss.backward()
            ready.optimizer.step()

    benchmark(epoch)


@pytest.mark.benchmark(group="an epoch of 8 steps of a tiny network")
def test_by_the_harness(benchmark, ready):
    from harness.training.epoch import Epoch, train_epoch

    def epoch():
        ready.tally = Epoch(ready)
        train_epoch(ready, ready.fitted, ready.tally)

    # Past the audited steps, which are few in a real run.
    for _ in range(20):
        epoch()
    benchmark(epoch)


@pytest.mark.benchmark(group="a batch of 64 x 12 leads x 1000 samples")
def test_a_batch_from_memory(benchmark):
    import numpy as np

    from harness.data.split import SplitData

    signals = np.random.default_rng(0).normal(size=(512, 12, 1000)).astype(np.float32)
    split = SplitData(
        ids=np.arange(512).astype(str),
        patients=np.arange(512).astype(str),
        labels=torch.zeros(512, dtype=torch.int64),
        lengths=np.full(512, 1000),
        side={},
        leads=tuple(f"L{i}" for i in range(12)),
        window=1000,
        bucket=1,
        read=lambda i: signals[i],
    )
    order = np.random.default_rng(1).permutation(512)[:64]
    benchmark(split.batch, order)
