"""Strategies that compute where the hooks on the model don't look are found out."""

import copy

import pytest
import torch
from small_runs import make_run
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from harness import Strategy, hookimpl


class CallsAPart(Strategy):
    """Scores with a layer of the model instead of the model."""

    name = "calls-a-part"

    @hookimpl
    def select_samples(self, run, batch):
        with torch.no_grad():
            hidden = run.model.conv(batch.signals)
        return hidden.abs().mean((1, 2)) > 0


class GradientsBySample(Strategy):
    """Per-sample gradients through vmap."""

    name = "vmap"

    @hookimpl
    def select_samples(self, run, batch):
        run.model.eval()
        parameters = dict(run.model.named_parameters())
        buffers = dict(run.model.named_buffers())

        def loss(p, signals, label):
            logits = functional_call(run.model, (p, buffers), (signals[None],))
            return functional.cross_entropy(logits, label[None])

        found = vmap(grad(loss), (None, 0, 0))(parameters, batch.signals, batch.labels)
        run.model.train()
        return found["classifier.bias"].abs().sum(1) > 0


class GradientOfAPart(Strategy):
    """autograd.grad from a forward of its own, past the root module."""

    name = "autograd-grad"

    @hookimpl
    def training_step(self, run, batch):
        model = run.model
        hidden = torch.relu(model.norm(model.conv(batch.signals))).mean(2)
        losses = functional.cross_entropy(model.classifier(hidden), batch.labels)
        trained = list(model.parameters())
        for p, g in zip(trained, torch.autograd.grad(losses, trained), strict=True):
            p.grad = g
        run.step()
        return True


class BackwardByHand(Strategy):
    """The head's gradient by matrix products, without autograd."""

    name = "by-hand"

    @hookimpl
    def training_step(self, run, batch):
        with torch.no_grad():
            hidden = torch.relu(run.model.norm(run.model.conv(batch.signals))).mean(2)
            error = run.model.classifier(hidden).softmax(1)
            error[torch.arange(len(batch)), batch.labels] -= 1
            run.model.classifier.weight.grad = error.T @ hidden / len(batch)
        run.step()
        return True


class TrainsACopy(Strategy):
    """Trains another network aside, and says nothing."""

    name = "trains-a-copy"

    @hookimpl
    def setup(self, run):
        self.twin = copy.deepcopy(run.model)

    @hookimpl
    def after_step(self, run):
        self.twin(run.train.batch(range(16)).signals).sum().backward()


class WorksBetweenEpochs(Strategy):
    """Does its forwards where no step is."""

    name = "between-epochs"

    @hookimpl
    def epoch_end(self, run, report):
        with torch.no_grad():
            for _ in range(10):
                run.model.conv(run.train.batch(range(50)).signals)


class WorksBeforeEpochs(Strategy):
    """Chooses an epoch's samples with a network of its own."""

    name = "before-epochs"

    @hookimpl
    def select_epoch(self, run):
        network = torch.nn.Conv1d(2, 64, 15)
        network(run.train.batch(range(50)).signals)


class RemovesHooks(Strategy):
    """Takes the meter's hooks off the model."""

    name = "removes-hooks"

    @hookimpl
    def setup(self, run):
        run.model._forward_hooks.clear()


@pytest.mark.parametrize(
    "strategy",
    [
        CallsAPart,
        GradientsBySample,
        GradientOfAPart,
        BackwardByHand,
        TrainsACopy,
        WorksBetweenEpochs,
        WorksBeforeEpochs,
        RemovesHooks,
    ],
)
def test_its_row_is_flagged(tmp_path, strategy):
    run = make_run(tmp_path, strategy(), epochs=3)
    run.execute()
    audit = run.meter.summary(run.model, run.optimizer)["audit"]
    assert audit["status"] == "flagged", audit


class ScoresThroughTheRun(Strategy):
    """The honest way to the same end."""

    name = "honest"

    @hookimpl
    def select_samples(self, run, batch):
        return run.score(batch).losses > 0

    @hookimpl
    def epoch_end(self, run, report):
        with torch.no_grad():
            run.model(run.train.batch(range(50)).signals)


def test_work_that_passes_the_model_as_a_whole_is_counted_and_no_offence(tmp_path):
    run = make_run(tmp_path, ScoresThroughTheRun(), epochs=3)
    run.execute()
    cost = run.meter.summary(run.model, run.optimizer)
    assert cost["audit"]["status"] == "passed"
    assert cost["forward_epochs"] == 3 * (1 + 1 + 1)
    assert cost["effective_epochs"] == 3
