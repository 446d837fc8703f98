"""Losses and predictions by hand, for labels and logits of every shape."""

import pytest
import torch
from small_runs import make_run
from torch.nn import functional

from harness.errors import CellError
from harness.training.losses import (
    class_weights,
    is_correct,
    per_sample_loss,
    probabilities,
    step_mask,
    true_class_probability,
    weight_of,
)
from harness.training.outputs import Outputs

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
LABELS = torch.tensor([0, 2])


def test_single_label_losses_are_cross_entropy():
    losses = per_sample_loss(Outputs(LOGITS), LABELS, "single-label")
    truth = LOGITS.softmax(1)[torch.arange(2), LABELS]
    torch.testing.assert_close(losses, -truth.log())


def test_mixed_labels_are_an_expectation():
    soft = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])
    losses = per_sample_loss(Outputs(LOGITS), soft, "single-label")
    torch.testing.assert_close(losses, -(soft * LOGITS.log_softmax(1)).sum(1))


def test_multi_label_losses_are_means_over_classes():
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    losses = per_sample_loss(Outputs(LOGITS), targets, "multi-label")
    p = LOGITS.sigmoid()
    by_class = -(targets * p.log() + (1 - targets) * (1 - p).log())
    torch.testing.assert_close(losses, by_class.mean(1))


def test_steps_are_averaged_under_the_mask():
    steps = torch.stack([LOGITS, LOGITS * 3, LOGITS * -9], dim=2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    losses = per_sample_loss(Outputs(steps, step_mask=mask), LABELS, "single-label")
    by_step = [
        functional.cross_entropy(steps[:, :, i], LABELS, reduction="none")
        for i in range(3)
    ]
    expected = torch.stack([(by_step[0][0] + by_step[1][0]) / 2, by_step[0][1]])
    torch.testing.assert_close(losses, expected)


def test_predictions_leave_padding_out():
    steps = torch.stack([LOGITS, LOGITS * 3], dim=2)
    mask = torch.tensor([[True, False], [True, True]])
    found = probabilities(Outputs(steps, step_mask=mask), "single-label")
    torch.testing.assert_close(found[0], LOGITS[0].softmax(0))
    torch.testing.assert_close(found.sum(1), torch.ones(2))


def test_a_step_counts_if_its_first_sample_is_signal():
    mask = step_mask(torch.tensor([100, 33, 25]), samples=100, steps=4)
    assert mask.tolist() == [
        [True] * 4,
        [True, True, False, False],
        [True] + [False] * 3,
    ]


def test_the_truth_has_one_probability_whatever_the_task():
    p = torch.tensor([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]])
    single = true_class_probability(p, LABELS, "single-label")
    torch.testing.assert_close(single, torch.tensor([0.7, 0.1]))
    targets = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    multi = true_class_probability(p, targets, "multi-label")
    torch.testing.assert_close(multi, torch.tensor([2.4, 0.8]) / 3)
    assert is_correct(p, LABELS, "single-label").tolist() == [True, False]
    assert is_correct(p, targets, "multi-label").tolist() == [True, False]


@pytest.mark.parametrize(("rule", "power"), [("sqrt", 0.5), ("balanced", 1.0)])
def test_class_weights_follow_rarity_and_have_a_mean_of_one(rule, power):
    labels = torch.tensor([0] * 8 + [1] * 2)
    weights = class_weights(labels, 3, rule)
    assert weights[1] / weights[0] == pytest.approx(4**power)
    assert weight_of(labels, weights).mean() == pytest.approx(1.0)
    half = weight_of(torch.tensor([[0.5, 0.5, 0.0]]), weights)
    assert half.item() == pytest.approx((weights[0] + weights[1]).item() / 2)
    assert class_weights(labels, 3, "none") is None


def test_class_weights_reach_the_loss(tmp_path):
    plain = make_run(tmp_path / "plain", dropout=0.0)
    weighted = make_run(tmp_path / "weighted", class_weights="balanced", dropout=0.0)
    for run in (plain, weighted):
        torch.manual_seed(0)
        run.set_model(run.new_model())
    batch = plain.train.batch(range(12))
    expected = plain.losses(batch) * weighted.class_weights[batch.labels]
    torch.testing.assert_close(weighted.losses(batch), expected)


def test_class_weights_of_a_multi_label_task_are_refused(tmp_path):
    with pytest.raises(CellError, match="single-label"):
        make_run(tmp_path, class_weights="sqrt", task="multi-label")
