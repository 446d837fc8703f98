"""The standard loop against a loop written out by hand."""

import copy

import pytest
import torch
from small_runs import SmallNet, make_run
from torch.nn import functional

from harness import Strategy, hookimpl
from harness.data.order import batches, epoch_order, torch_seed
from harness.metrics.metrics import evaluate_probabilities


def plain_loop(data, epochs, batch_size, optimizer, rate=lambda step: None):
    """What anyone would write, with the harness' documented order and seeds."""
    torch.manual_seed(torch_seed(0, "initial weights"))
    model = SmallNet()
    optimizer = optimizer(model.parameters())
    best, best_weights, step = -1.0, None, 0
    for epoch in range(epochs):
        model.train()
        path = ("epoch", 0, epoch)
        order = epoch_order(len(data.train), 0, *path)
        for i, positions in enumerate(batches(order, batch_size)):
            torch.manual_seed(torch_seed(0, *path, "batch", 0, i, "torch"))
            batch = data.train.batch(positions)
            rate(step, optimizer, epoch)
            loss = functional.cross_entropy(model(batch.signals), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
        model.eval()
        with torch.no_grad():
            everything = data.validation.batch(range(len(data.validation)))
            probabilities = model(everything.signals).softmax(1).numpy()
        score = evaluate_probabilities(
            probabilities, everything.labels.numpy(), data.classes, data.task
        )["macro_f1"]
        if score > best:
            best, best_weights = score, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_weights)
    return model


def step_rate(step, optimizer, epoch):
    for group in optimizer.param_groups:
        group["lr"] = 0.01 * 0.5**epoch


@pytest.mark.parametrize(
    ("settings", "optimizer", "rate"),
    [
        (
            {"optimizer": {"use": "adamw", "lr": 0.01, "weight_decay": 0.05}},
            lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.05),
            lambda *_: None,
        ),
        (
            {
                "optimizer": {"use": "sgd", "lr": 0.01, "momentum": 0.9},
                "schedule": {"use": "step", "gamma": 0.5},
            },
            lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
            step_rate,
        ),
    ],
)
def test_baseline_equals_a_hand_written_loop_bit_for_bit(
    tmp_path, settings, optimizer, rate
):
    run = make_run(tmp_path, epochs=5, **settings)
    run.execute()

    data = type("Data", (), {})()
    data.train, data.validation = run.train, run.validation
    data.classes, data.task = run.classes, run.task
    expected = plain_loop(data, 5, 16, optimizer, rate)

    state = run.model.state_dict()
    for name, value in expected.state_dict().items():
        assert torch.equal(state[name], value), name


def test_effective_epochs_of_the_baseline_are_its_epochs(tmp_path):
    run = make_run(tmp_path, epochs=3)
    run.execute()
    cost = run.meter.summary(run.model, run.optimizer)
    assert cost["effective_epochs"] == 3
    assert cost["forward_epochs"] == 3
    assert cost["audit"]["status"] == "passed"
    assert [row["kept_share"] for row in run.history.rows] == [1.0] * 3


def test_two_epochs_see_the_records_in_different_orders(tmp_path):
    run = make_run(tmp_path, epochs=3)
    run.execute()
    first_batches = {row["first_batch"] for row in run.history.rows}
    assert len(first_batches) == 3


def test_weights_of_the_best_epoch_are_kept_earliest_first(tmp_path):
    run = make_run(tmp_path, epochs=8)
    run.execute()
    scores = [row["validation"]["macro_f1"] for row in run.history.rows]
    assert run.fitted.chosen["epoch"] == scores.index(max(scores))
    assert run.evaluate()["macro_f1"] == max(scores)


def test_last_weights_are_kept_where_the_budget_says_so(tmp_path):
    run = make_run(tmp_path, epochs=8, weights="last")
    run.execute()
    assert run.fitted.chosen["epoch"] == 7
    assert run.evaluate()["macro_f1"] == run.history.rows[-1]["validation"]["macro_f1"]


def test_early_stopping_ends_a_fit_that_gains_nothing(tmp_path):
    frozen = {"use": "sgd", "lr": 1e-12, "momentum": 0.0}
    run = make_run(
        tmp_path, epochs=30, optimizer=frozen, early_stopping={"patience": 3}
    )
    run.execute()
    assert len(run.history.rows) < 30


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_every_augmentation_trains(tmp_path, task):
    run = make_run(
        tmp_path, task=task, augment=["random-crop", "mixup", "cutmix"], epochs=2
    )
    run.execute()
    assert run.history.rows[-1]["loss"] > 0


class Cheat(Strategy):
    """Predicts what it is told to be true."""

    name = "cheat"

    @hookimpl
    def predict(self, run, batch, outputs):
        return functional.one_hot(batch.labels.clamp_min(0), 3).float()


def test_predictions_are_made_without_the_answers(tmp_path):
    run = make_run(tmp_path, Cheat(), epochs=1)
    run.execute()
    assert run.evaluate()["accuracy"] < 0.7
