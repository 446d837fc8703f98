"""Macro-F1 and accuracy on what was trained on: those of the forwards themselves."""

import numpy as np
import pytest
import torch
from small_runs import EVERY_BATCH, make_run

from harness import Dropping as DroppingParams
from harness import Strategy, hookimpl
from harness.errors import Interrupted
from harness.metrics.metrics import evaluate_probabilities
from harness.training.losses import probabilities
from harness.training.outputs import Outputs
from harness.training.training_scores import (
    add_decisions,
    no_decisions,
    training_scores,
)

CLASSES = ("A", "B", "C")


def scores_of(parts, task):
    """Of some forwards, each (outputs, labels)."""
    counts = no_decisions(len(CLASSES), torch.device("cpu"))
    for outputs, labels in parts:
        add_decisions(counts, outputs, labels, task)
    return training_scores(counts.tolist(), task)


def judged(outputs, labels, task):
    """The same by the metrics of every result."""
    found = evaluate_probabilities(
        probabilities(outputs, task).numpy(), labels.numpy(), CLASSES, task
    )
    names = ("macro_f1", "accuracy", "label_accuracy")
    return {name: pytest.approx(found[name], abs=1e-12) for name in names}


@pytest.mark.parametrize("steps", [None, 5])
@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_they_are_those_of_the_metrics_whatever_the_batches(task, steps):
    generator = torch.Generator().manual_seed(0)
    shape = (40, 3) if steps is None else (40, 3, steps)
    logits = torch.randn(shape, generator=generator)
    mask = None
    if steps:
        lengths = torch.randint(1, steps + 1, (40, 1), generator=generator)
        mask = torch.arange(steps) < lengths
    labels = torch.randint(2, (40,), generator=generator)
    if task == "multi-label":
        labels = torch.randint(2, (40, 3), generator=generator).float()
    parts = [
        (Outputs(logits[rows], mask if mask is None else mask[rows]), labels[rows])
        for rows in (slice(0, 7), slice(7, 8), slice(8, 40))
    ]
    assert scores_of(parts, task) == judged(Outputs(logits, mask), labels, task)


def test_a_class_that_is_neither_there_nor_predicted_counts_as_0():
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    found = scores_of([(Outputs(logits), torch.tensor([0, 1]))], "single-label")
    assert found["macro_f1"] == pytest.approx(2 / 3)
    assert found["accuracy"] == 1


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_mixed_labels_cannot_be_judged(task):
    mixed = torch.tensor([[0.3, 0.7, 0.0]])
    parts = [(Outputs(torch.randn(1, 3)), mixed)]
    assert set(scores_of(parts, task).values()) == {None}


def test_outputs_that_are_no_classes_cannot_be_judged():
    parts = [(Outputs(torch.randn(2, 7)), torch.tensor([0, 1]))]
    assert set(scores_of(parts, "single-label").values()) == {None}


class Watching(Strategy):
    """Keeps what every training forward saw and answered."""

    name = "test-watching"

    @hookimpl
    def setup(self, run):
        self.seen = []

    @hookimpl(wrapper=True)
    def sample_losses(self, run, batch, outputs):
        losses = yield
        if torch.is_grad_enabled():
            given = probabilities(outputs, run.task).detach().numpy()
            self.seen.append((run.epoch, given, batch.labels.numpy()))
        return losses


class Scoring(Watching):
    """Scores everything and trains on a part: only that part may count."""

    name = "test-scoring"

    class Params(DroppingParams):
        pack: bool = True

    @hookimpl
    def select_samples(self, run, batch):
        return run.score(batch).true_class_probability < 0.4


@pytest.mark.parametrize("kind", [Watching, Scoring])
@pytest.mark.parametrize("task", ["single-label", "multi-label"])
@pytest.mark.parametrize("micro_batch", [None, 5])
def test_the_history_holds_those_of_the_training_forwards(
    tmp_path, kind, task, micro_batch
):
    strategy = kind()
    run = make_run(tmp_path, strategy, task=task, micro_batch=micro_batch, epochs=2)
    run.execute()
    for row in run.history.rows:
        seen = [(p, y) for epoch, p, y in strategy.seen if epoch == row["epoch"]]
        given, labels = (np.concatenate(part) for part in zip(*seen, strict=True))
        assert len(labels) == row["kept"]
        again = evaluate_probabilities(given, labels, run.classes, task)
        for name, value in row["training"].items():
            assert value == pytest.approx(again[name], abs=1e-12)


def test_it_takes_no_forward_of_its_own(tmp_path):
    run = make_run(tmp_path, epochs=2)
    run.execute()
    assert run.meter.samples_of().forward_samples == 2 * len(run.train)


def test_mixed_samples_have_none(tmp_path):
    run = make_run(tmp_path, epochs=1, augment=["mixup"])
    run.execute()
    assert set(run.history.rows[0]["training"].values()) == {None}


def test_an_epoch_that_was_interrupted_counts_what_came_before(tmp_path):
    whole = make_run(tmp_path / "whole", epochs=1)
    whole.execute()
    stopped = make_run(tmp_path / "stopped", epochs=1, execution=EVERY_BATCH)
    save, saves = stopped.saver.save, iter(range(1, 100))

    def save_and_stop():
        save()
        if next(saves) == 2:
            stopped.loops.stopping.set()

    stopped.saver.save = save_and_stop
    with pytest.raises(Interrupted):
        stopped.execute()
    again = make_run(tmp_path / "stopped", epochs=1, execution=EVERY_BATCH)
    again.execute()
    assert again.history.rows == whole.history.rows
