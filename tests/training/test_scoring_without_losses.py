"""Who doesn't need losses can score without: what adds to them may cost a forward."""

import numpy as np
import pytest
import torch
from small_runs import make_run

from harness import Dropping, Strategy, hookimpl
from harness.catalog import Catalog

PER_SAMPLE = 2 * 2 * 64 * 3
"""FLOPs of a linear layer from two leads of 64 samples to three classes."""


class Asks(Strategy):
    """Asks a frozen network of its own about every batch that has losses."""

    name = "asks"

    @hookimpl
    def setup(self, run):
        linear = torch.nn.Linear(2 * 64, 3).requires_grad_(requires_grad=False)
        self.frozen = run.add_module("frozen", torch.nn.Sequential(linear))

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        told = self.frozen(batch.signals.flatten(1))
        return (told - outputs.logits).square().mean(1)


class Scores(Strategy):
    """Keeps the scores of every batch, which it trains on whole."""

    name = "scores"

    class Params(Dropping):
        losses: bool = True

    @hookimpl
    def setup(self, run):
        self.kept = []

    @hookimpl
    def select_samples(self, run, batch):
        self.kept.append(run.score(batch, losses=self.params.losses))


def asked(run):
    """How many samples the frozen network was asked about."""
    by_module = run.meter.summary(run.model)["flops"]["by_module"]
    return by_module["frozen"]["forward"] / PER_SAMPLE


def test_scoring_without_losses_asks_nobody(tmp_path):
    for losses, samples in ((True, 200), (False, 100)):
        scores = Scores(Scores.Params(losses=losses))
        folder = tmp_path / str(losses)
        run = make_run(folder, scores, Asks(), epochs=2, micro_batch=6)
        run.execute()
        assert asked(run) == samples
        assert run.meter.samples_of().forward_samples == 200
        assert all(kept.losses.isnan().all() != losses for kept in scores.kept)


def test_without_losses_all_else_is_scored(tmp_path):
    run = make_run(tmp_path, Asks())
    run.set_model(run.new_model())
    run.hook.setup(run=run)
    batch = run.train.batch(np.arange(20))
    whole, bare = run.score(batch), run.score(batch, losses=False)
    assert whole.losses.isfinite().all()
    assert bare.losses.shape == whole.losses.shape
    assert bare.losses.isnan().all()
    for name in ("logits", "true_class_probability", "correct"):
        assert torch.equal(getattr(bare, name), getattr(whole, name))


@pytest.mark.parametrize(
    ("name", "params", "scoring"),
    [
        ("dbpd", {"confidence": 0.36}, False),
        ("dbpd", {"confidence": 0.36, "criterion": "loss"}, True),
        ("smrd", {"confidence": 0.36, "counts": "online"}, False),
    ],
)
def test_who_scores_by_probability_asks_nobody(tmp_path, name, params, scoring):
    cls = Catalog.discover().load("strategy", name)
    run = make_run(tmp_path, cls(cls.Params(**params)), Asks())
    run.execute()
    rows = run.history.rows
    scored, kept = (sum(row[key] for row in rows) for key in ("scored", "kept"))
    assert kept < 200
    assert scored > 0
    assert asked(run) == kept + scored * scoring
