"""InfoBatch as sections D and E of the methods' notes define it (arXiv 2303.04947)."""

import io

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from small_runs import EVERY_BATCH, EVERY_EPOCH, make_run, outcome
from stopping import resumed

from harness import Strategy, hookimpl
from harness.catalog import Catalog


@pytest.fixture(scope="session")
def infobatch():
    cls = Catalog.discover().load("strategy", "infobatch")

    def make(**params):
        return cls(cls.Params(**params))

    return make


class Ranked(Strategy):
    """Losses that grow with the record's number, whatever the network says."""

    name = "ranked"

    @hookimpl
    def setup(self, run):
        self.weights = []

    @hookimpl
    def sample_losses(self, run, batch, outputs):
        if outputs.logits.requires_grad:
            known = zip(batch.index.tolist(), batch.weights.tolist(), strict=True)
            self.weights.append((run.epoch, dict(known)))
        return outputs.logits.sum(1) * 0 + batch.index

    def of_epoch(self, epoch):
        """The weight of each record that an epoch trained on."""
        found = {}
        for number, weights in self.weights:
            found |= weights if number == epoch else {}
        return found


def trained(folder, *strategies, **settings):
    run = make_run(folder, *strategies, **settings)
    run.execute()
    return run


def test_d_half_of_the_easy_records_is_pruned_and_the_others_weigh_double(
    tmp_path, infobatch
):
    """D: ratio 0.5 of what is below the mean; weight 1 / keep_ratio = 2."""
    ranked = Ranked()
    run = trained(tmp_path, infobatch(), ranked, epochs=8)
    # Losses 0 .. 49: 25 are below their mean.
    assert [row["kept"] for row in run.history.rows] == [50, *[38] * 6, 50]
    for epoch in range(1, 7):
        weights = ranked.of_epoch(epoch)
        assert all(weights[i] == 1.0 for i in range(25, 50))
        easy = [weights[i] for i in range(25) if i in weights]
        assert easy == [2.0] * 13
    assert set(ranked.of_epoch(0).values()) == set(ranked.of_epoch(7).values()) == {1.0}


def test_other_ones_are_pruned_in_each_epoch(tmp_path, infobatch):
    ranked = Ranked()
    trained(tmp_path, infobatch(), ranked, epochs=8)
    kept = [frozenset(ranked.of_epoch(epoch)) for epoch in range(1, 7)]
    assert len(set(kept)) == 6


@pytest.mark.parametrize(("ratio", "pruned"), [(0.1, 2), (0.7, 18), (0.9, 22)])
def test_the_weights_make_up_for_what_is_pruned(tmp_path, infobatch, ratio, pruned):
    ranked = Ranked()
    run = trained(tmp_path, infobatch(ratio=ratio), ranked, epochs=3)
    assert run.history.rows[1]["kept"] == 50 - pruned
    weights = ranked.of_epoch(1)
    easy = [weights[i] for i in range(25) if i in weights]
    assert easy == pytest.approx([1 / (1 - ratio)] * (25 - pruned))
    # Unbiased but for the rounding of the number.
    assert sum(easy) == pytest.approx(25, abs=0.51 / (1 - ratio))


@pytest.mark.parametrize(
    ("epochs", "delta", "whole"),
    [(8, 0.875, 1), (16, 0.875, 2), (4, 0.875, 0), (4, 0.5, 2), (4, 1.0, 0)],
)
def test_d_the_last_epochs_prune_nothing(tmp_path, infobatch, epochs, delta, whole):
    """D: no pruning in the last 12.5 % of the epochs (delta 0.875)."""
    run = trained(tmp_path, infobatch(delta=delta), epochs=epochs)
    phases = [row["phase"] for row in run.history.rows]
    assert phases == ["whole", *["pruned"] * (epochs - 1 - whole), *["whole"] * whole]
    for row in run.history.rows:
        assert (row["kept_share"] < 1) is (row["phase"] == "pruned")


def test_d_nothing_is_scored(tmp_path, infobatch):
    """D: no scoring forward, so that compute is in effective epochs."""
    run = trained(tmp_path, infobatch(), epochs=6)
    assert {row["scored"] for row in run.history.rows} == {0}
    cost = run.meter.summary(run.model, run.optimizer)
    assert cost["forward_epochs"] == cost["effective_epochs"] < 6
    assert cost["compute_epochs"] == pytest.approx(cost["effective_epochs"])
    assert cost["audit"]["status"] == "passed"


def test_a_pruned_record_keeps_the_score_that_it_had(tmp_path, infobatch):
    run = trained(tmp_path, infobatch(), Ranked(), epochs=4)
    assert np.array_equal(run.last_losses, np.arange(50))


class Partly(Strategy):
    """Forgets the loss of some records after each epoch."""

    name = "partly"

    @hookimpl
    def epoch_end(self, run, report):
        run.noted_losses.values[:10] = torch.nan


def test_what_has_no_score_is_never_easy(tmp_path, infobatch):
    run = trained(tmp_path, infobatch(delta=1.0), Ranked(), Partly(), epochs=4)
    with np.load(io.BytesIO(run.kept_records.to_npz(run.train.ids))) as arrays:
        assert arrays["kept"][:, :10].all()
        # Of 10 .. 49, 20 are below the mean.
        assert arrays["kept"].sum(1).tolist() == [50, 40, 40, 40]


class Rounds(Strategy):
    """Two fits."""

    name = "rounds"

    @hookimpl
    def train(self, run):
        for _ in run.loop("round", 2):
            run.fit(3, fresh_optimizer=True)
        return True


def test_each_fit_begins_with_a_whole_epoch(tmp_path, infobatch):
    run = trained(tmp_path, Rounds(), infobatch(delta=1.0))
    phases = [row["phase"] for row in run.history.rows]
    assert phases == ["whole", "pruned", "pruned"] * 2


def test_it_works_on_multi_label_data(tmp_path, infobatch):
    run = trained(tmp_path, infobatch(), task="multi-label", epochs=4)
    assert run.history.rows[1]["kept"] < 50


@pytest.mark.parametrize("params", [{"ratio": 1.0}, {"ratio": 0.0}, {"delta": 1.5}])
def test_shares_that_are_none_are_refused(infobatch, params):
    with pytest.raises(ValidationError):
        infobatch(**params)


@pytest.mark.parametrize(
    "execution", [EVERY_EPOCH, EVERY_BATCH], ids=["epoch", "batch"]
)
def test_stopped_after_every_checkpoint_it_ends_alike(tmp_path, infobatch, execution):
    def make(folder, **settings):
        return make_run(tmp_path / folder, Rounds(), infobatch(), **settings)

    whole = make("whole")
    whole.execute()
    ended, attempts = resumed(lambda: make("stopped", execution=execution))
    assert attempts > 1
    assert outcome(ended) == outcome(whole)
