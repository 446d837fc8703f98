"""Means over what was trained on, in the history."""

import numpy as np
import pytest
import torch
from small_runs import EVERY_BATCH, make_run, outcome
from stopping import resumed

from harness import Dropping, PluginError, Strategy, hookimpl


class Notes(Strategy):
    """Scores every batch, trains on two thirds of it, and notes the positions of the
    records of each forward.
    """

    name = "notes"

    class Params(Dropping):
        pass

    @hookimpl
    def select_samples(self, run, batch):
        run.score(batch)
        return batch.index % 3 != run.epoch % 3

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        run.log_mean(position=batch.index.float(), late=batch.index / (1 + run.epoch))


class Odd(Strategy):
    """Notes something of some records only, and nothing in the first epoch."""

    name = "odd"

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        if run.epoch:
            odd = batch.index[batch.index % 2 == 1]
            run.log_mean(odd=odd.float(), loss=odd.float())


class Everywhere(Strategy):
    """Notes where nothing is trained on."""

    name = "everywhere"

    @hookimpl
    def setup(self, run):
        run.log_mean(before=torch.ones(3))

    @hookimpl
    def epoch_end(self, run, report):
        run.log_mean(between=torch.ones(3))

    @hookimpl
    def predict(self, run, batch, outputs):
        run.log_mean(judged=torch.ones(len(batch)))


class Scalar(Strategy):
    """Notes one value of a batch."""

    name = "scalar"

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        run.log_mean(total=outputs.logits.sum())


class PerClass(Strategy):
    """Notes a value of each class."""

    name = "per-class"

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        run.log_mean(logits=outputs.logits)


def trained(folder, *strategies, **settings):
    run = make_run(folder, *strategies, **settings)
    run.execute()
    return run


@pytest.mark.parametrize(
    "settings",
    [{}, {"micro_batch": 5}, {"pack": True}],
    ids=["batches", "parts", "packed"],
)
def test_the_mean_is_of_what_was_trained_on(tmp_path, settings):
    """Scoring sends the dropped samples forward, too."""
    settings = dict(settings)
    notes = Notes(Notes.Params(pack=settings.pop("pack", False)))
    rows = trained(tmp_path, notes, **settings).history.rows
    place = np.arange(50)
    for epoch, row in enumerate(rows):
        kept = place[place % 3 != epoch % 3]
        assert row["kept"] == len(kept)
        assert row["scored"] == 50
        assert row["position"] == pytest.approx(kept.mean(), rel=1e-12)
        assert row["late"] == pytest.approx(kept.mean() / (1 + epoch), rel=1e-6)


def test_the_mean_is_of_the_samples_that_were_noted(tmp_path):
    rows = trained(tmp_path, Odd()).history.rows
    assert "odd" not in rows[0]
    assert [row["odd"] for row in rows[1:]] == [25.0] * 3


def test_a_row_s_own_figures_stand(tmp_path):
    losses = [row["loss"] for row in trained(tmp_path / "odd", Odd()).history.rows]
    plain = [row["loss"] for row in trained(tmp_path / "plain").history.rows]
    assert losses == plain


def test_what_is_noted_outside_of_training_is_left_out(tmp_path):
    run = trained(tmp_path, Everywhere())
    found = {name for row in run.history.rows for name in row}
    assert not found & {"before", "between", "judged"}


@pytest.mark.parametrize("pack", [False, True])
def test_resumed_inside_an_epoch_it_is_the_same(tmp_path, pack):
    params = Notes.Params(pack=pack)
    whole = trained(tmp_path / "whole", Notes(params))

    def make():
        return make_run(tmp_path / "stopped", Notes(params), execution=EVERY_BATCH)

    ended, attempts = resumed(make)
    assert attempts > 8
    assert outcome(ended) == outcome(whole)


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (Scalar, r"log_mean\(total=...\): give one value a sample, .* not \(\)"),
        (PerClass, r"log_mean\(logits=...\): .*, not \(16, 3\)"),
    ],
)
def test_what_is_not_one_value_a_sample_is_refused(tmp_path, strategy, told):
    with pytest.raises(PluginError, match=told):
        trained(tmp_path, strategy())
