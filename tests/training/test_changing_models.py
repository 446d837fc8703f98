"""A strategy may put another network in the model's place while it trains."""

import pytest
import torch
from small_runs import CLASSES, LEADS, make_run, outcome
from stopping import resumed
from torch import nn

from harness import Strategy, hookimpl


class Net(nn.Module):
    """One hidden layer of some width, on the mean over samples."""

    def __init__(self, width):
        super().__init__()
        self.hidden = nn.Linear(LEADS, width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, signals):
        return self.head(torch.relu(self.hidden(signals.mean(2))))


def narrowed(net, width):
    """The first units of a network."""
    made = Net(width)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            dense = net.get_parameter(name)
            weight.copy_(dense[tuple(slice(n) for n in weight.shape)])
    return made


class Narrowing(Strategy):
    """Half as many hidden units in each round, with one optimizer's settings."""

    name = "test-narrowing"

    @hookimpl
    def build_model(self, run):
        return Net(8)

    @hookimpl
    def train(self, run):
        run.fit(1)
        run.snapshot("round", number=0)
        for done in run.loop("round", 2):
            run.set_model(narrowed(run.model, 4 >> done))
            run.fit(2)
            run.snapshot("round", number=done + 1)
        return True

    @hookimpl
    def fit_to_weights(self, run, weights):
        return Net(len(weights["hidden.weight"]))


@pytest.fixture
def run(tmp_path):
    run = make_run(tmp_path, Narrowing(), weights="last")
    run.execute()
    return run


def test_the_optimizer_is_that_of_the_present_model(run):
    held = {id(p) for group in run.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in run.model.parameters()}
    assert run.model.hidden.out_features == 2


def test_each_network_is_metered_as_it_is(run):
    """Forward 2 FLOPs a weight; backward the same, and to the hidden layer's output."""
    flops = outcome(run)["cost"]["flops"]
    rounds = [(1, 8), (2, 4), (2, 2)]
    weights = sum(epochs * width * (LEADS + CLASSES) for epochs, width in rounds)
    inwards = sum(epochs * width * CLASSES for epochs, width in rounds)
    assert flops["forward"] == 50 * 2 * weights
    assert flops["backward"] == 50 * 2 * (weights + inwards)
    assert outcome(run)["cost"]["audit"]["status"] == "passed"


def test_stopped_after_every_checkpoint_it_ends_alike(tmp_path, run):
    def new():
        return make_run(tmp_path / "stopped", Narrowing(), weights="last")

    ended, attempts = resumed(new, 1)
    assert attempts > 3
    assert outcome(ended) == outcome(run)
