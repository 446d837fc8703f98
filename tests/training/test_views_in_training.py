"""Batches of a run, seen through other leads wherever they go."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_runs import EVERY_BATCH, EVERY_EPOCH, SAMPLES, make_run, outcome, splits
from stopping import resumed

from harness import Strategy, hookimpl
from harness.catalog import Catalog
from harness.data.split import SplitData

ALL = ("I", "II", "III")


class OtherLeads:
    """The records of a split through three leads, and how often one was read."""

    def __init__(self, own: SplitData, seed: int) -> None:
        shape = (len(own), len(ALL), SAMPLES)
        noise = np.random.default_rng(seed).normal(size=shape)
        self.signals = noise.astype(np.float32)
        self.reads = 0
        self.split = replace(own, leads=ALL, read=self.read)

    def read(self, i: int) -> np.ndarray:
        self.reads += 1
        return self.signals[i]


class Seen:
    """Splits whose training and validation records are seen through other leads."""

    def __init__(self) -> None:
        own = splits()
        self.train = OtherLeads(own.train, 10)
        self.validation = OtherLeads(own.validation, 11)
        self.splits = replace(
            own,
            train=replace(own.train, views={ALL: self.train.split}),
            validation=replace(own.validation, views={ALL: self.validation.split}),
        )


class Sees(Strategy):
    """Learns something of the other leads, after a look at whether they're right."""

    name = "sees"

    def __init__(self, signals: np.ndarray) -> None:
        super().__init__()
        self.signals = torch.from_numpy(signals)

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        seen = batch.view(ALL)
        assert torch.equal(seen.signals, self.signals[batch.index])
        told = seen.signals.mean((1, 2))
        run.log_mean(told=told)
        return (outputs.logits.mean(1) - told).square()


@pytest.fixture
def seen():
    return Seen()


@pytest.fixture(scope="session")
def dbpd():
    cls = Catalog.discover().load("strategy", "dbpd")

    def make(**params):
        return cls(cls.Params(**params))

    return make


def run_of(folder, seen, *strategies, **settings):
    return make_run(folder, *strategies, data=seen.splits, **settings)


def trained(folder, seen, *strategies, **settings):
    run = run_of(folder, seen, *strategies, **settings)
    run.execute()
    return run


@pytest.mark.parametrize(
    ("pack", "execution"),
    [(False, EVERY_BATCH), (True, EVERY_BATCH), (True, EVERY_EPOCH)],
    ids=["dropped", "packed", "packed, by epoch"],
)
def test_what_is_packed_is_seen_across_checkpoints(
    tmp_path, seen, dbpd, pack, execution
):
    def strategies():
        params = {"confidence": 0.36, "pack": pack, "warmup_epochs": 1}
        return dbpd(**params), Sees(seen.train.signals)

    whole = trained(tmp_path / "whole", seen, *strategies())

    def make():
        folder = tmp_path / "stopped"
        return run_of(folder, seen, *strategies(), execution=execution)

    ended, attempts = resumed(make)
    assert attempts > 1
    assert outcome(ended) == outcome(whole)
    dropped = [r for r in whole.history.rows if 0 < r["kept"] < r["seen"]]
    assert dropped
    if pack:
        assert all(r["steps"] == -(-r["kept"] // 16) for r in dropped)


def test_parts_of_a_batch_see_their_own_records(tmp_path, seen):
    def told(folder, **settings):
        run = trained(folder, seen, Sees(seen.train.signals), **settings)
        return [row["told"] for row in run.history.rows]

    whole = told(tmp_path / "whole")
    parts = told(tmp_path / "parts", micro_batch=5)
    mean = seen.train.signals.mean((1, 2), dtype=np.float64).mean()
    assert whole == pytest.approx([mean] * 4, abs=1e-6)
    assert parts == pytest.approx(whole, abs=1e-9)


def test_a_mix_is_seen_in_training(tmp_path, seen):
    """The model's own leads, told twice, are mixed twice alike."""
    own = splits()
    twice = replace(own.train, leads=("II", "I"))
    seen.splits = replace(own, train=replace(own.train, views={("II", "I"): twice}))

    class Compares(Strategy):
        name = "compares"

        @hookimpl
        def extra_losses(self, run, batch, outputs):
            assert torch.equal(batch.view(("II", "I")).signals, batch.signals)
            run.log_mean(classes=(batch.labels > 0).sum(1).float())

    run = trained(tmp_path, seen, Compares(), augment=["mixup", "cutmix"])
    assert all(row["classes"] > 1.5 for row in run.history.rows)


def test_only_training_reads_other_leads(tmp_path, seen, dbpd):
    """Evaluation and the re-estimation of BatchNorm have no use for them."""
    strategies = dbpd(reestimate_batchnorm=True), Sees(seen.train.signals)
    run = trained(tmp_path, seen, *strategies)
    run.evaluate()
    assert seen.train.reads == 4 * len(run.train)
    assert seen.validation.reads == 0
    batch = run.validation.batch(np.arange(3)).view(ALL)
    assert torch.equal(batch.signals, torch.from_numpy(seen.validation.signals[:3]))
