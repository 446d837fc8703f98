"""A run that is stopped anywhere and continued ends in the same bits."""

import pytest
import torch
from small_runs import EVERY_BATCH, EVERY_EPOCH, make_run, outcome
from stopping import resumed, stop_after

from harness import Dropping as DroppingParams
from harness import Strategy, hookimpl
from harness.errors import Interrupted
from harness.training import checkpoint


class Pruning(Strategy):
    """Nested rounds with a mask of its own, as iterative pruning has them."""

    name = "test-pruning"

    @hookimpl
    def setup(self, run):
        self.mask = torch.ones_like(run.model.conv.weight)
        self.log = []
        run.track(mask=self.mask, log=self.log)

    @hookimpl
    def train(self, run):
        for round_ in run.loop("round", 3):
            run.fit(2, fresh_optimizer=True)
            weights = run.model.conv.weight.detach().abs() * self.mask
            kept = weights > weights[self.mask > 0].quantile(0.3)
            self.mask.copy_(kept)
            run.model.conv.weight.data.mul_(self.mask)
            self.log.append(int(kept.sum()))
            run.snapshot("round", number=round_)
        return True

    @hookimpl
    def after_step(self, run):
        run.model.conv.weight.data.mul_(self.mask)


class Dropping(Strategy):
    """Drops what is easy, differently in each epoch, and keeps scores between them."""

    name = "test-dropping"

    @hookimpl
    def setup(self, run):
        self.seen = torch.zeros(len(run.train))
        run.track(seen=self.seen)

    @hookimpl
    def select_epoch(self, run):
        order = self.seen.argsort(stable=True).numpy()
        kept = order[: max(20, len(order) - 5 * run.epoch)]
        return kept, run.rng("weights").random(len(kept)) + 0.5

    @hookimpl
    def select_samples(self, run, batch):
        scores = run.score(batch)
        self.seen[batch.index] += scores.losses
        return scores.true_class_probability < 0.5


class Packing(Dropping):
    """Packs what it keeps, and renews BatchNorm's statistics before validation."""

    name = "test-packing"

    class Params(DroppingParams):
        pack: bool = True
        reestimate_batchnorm: bool = True


class Rounds(Strategy):
    """Rounds that go on with one optimizer, under an outer loop."""

    name = "test-rounds"

    @hookimpl
    def train(self, run):
        for _ in run.loop("round", 3):
            run.fit(2)
        return True


class BySamples(Strategy):
    """Ends within an epoch, twice."""

    name = "test-samples"

    @hookimpl
    def train(self, run):
        for _ in run.loop("round", 2):
            run.fit(samples=70, fresh_optimizer=True)
        return True


class LateState(Strategy):
    """Tracks what it needs only when it needs it."""

    name = "test-late"

    @hookimpl
    def epoch_end(self, run, report):
        if not hasattr(self, "epochs"):
            self.epochs = []
            run.track(epochs=self.epochs)
        self.epochs.append(report.epoch)
        run.log(epochs=list(self.epochs))


CASES = {
    "baseline": ((), {"epochs": 4}),
    "one-cycle, mixup, early stopping": (
        (),
        {
            "schedule": {"use": "one-cycle"},
            "augment": ["mixup"],
            "early_stopping": {"patience": 2},
        },
    ),
    "plateau": ((), {"schedule": {"use": "plateau", "patience": 0}}),
    "dropping": ((Dropping,), {}),
    "packing": ((Packing,), {"dropout": 0.5}),
    "rounds": ((Rounds,), {"records": 30}),
    "by samples": ((BySamples,), {"schedule": {"use": "one-cycle"}}),
    "late state": ((LateState,), {}),
    "pruning": ((Pruning,), {}),
    "pruning and dropping": ((Pruning, Dropping), {}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "execution", [EVERY_EPOCH, EVERY_BATCH], ids=["epoch", "batch"]
)
def test_stopped_after_every_checkpoint_it_ends_alike(tmp_path, case, execution):
    strategies, settings = CASES[case]
    whole = make_run(tmp_path / "whole", *[s() for s in strategies], **settings)
    whole.execute()

    def make():
        again = [s() for s in strategies]
        return make_run(tmp_path / "stopped", *again, execution=execution, **settings)

    ended, attempts = resumed(make)

    assert attempts > 1
    assert outcome(ended) == outcome(whole)


def test_a_strategy_that_changed_its_loops_is_told_so(tmp_path):
    run = make_run(tmp_path, Pruning())
    stop_after(run, 2)
    with pytest.raises(Interrupted):
        run.execute()
    with pytest.raises(checkpoint.CheckpointError, match="its code has changed"):
        make_run(tmp_path, Renamed()).execute()


class Renamed(Pruning):
    """The same place in the plan, other loops."""

    @hookimpl
    def train(self, run):
        for _ in run.loop("level", 3):
            run.fit(2)
        return True


def test_what_is_no_state_cannot_be_tracked(tmp_path):
    run = make_run(tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match="put it into a dict"):
        run.track(round=3)


def test_a_damaged_checkpoint_gives_way_to_the_previous_one(tmp_path):
    first, second = ([["epoch", 0, n]] for n in (1, 2))
    for places in (first, second):
        state = {"key": "k", "places": places, "states": []}
        checkpoint.save_checkpoint(tmp_path, state)
    assert checkpoint.load_checkpoint(tmp_path, "k")["places"] == second
    newest = tmp_path / "checkpoint.pt"
    newest.write_bytes(newest.read_bytes()[:-40])
    assert checkpoint.load_checkpoint(tmp_path, "k")["places"] == first


def test_another_cell_s_checkpoint_is_not_taken(tmp_path):
    checkpoint.save_checkpoint(tmp_path, {"key": "other", "places": []})
    assert checkpoint.load_checkpoint(tmp_path, "k") is None


def test_a_hostile_checkpoint_does_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save({"key": "k", "places": Bomb()}, tmp_path / "checkpoint.pt")
    assert checkpoint.load_checkpoint(tmp_path, "k") is None
    assert not (tmp_path / "owned").exists()
