"""Losses and predictions by hand, for labels and logits of every shape."""

import math

import pytest
import torch
from pydantic import ValidationError
from small_runs import make_run
from torch.nn import functional

from harness.data.batch import step_mask
from harness.errors import CellError
from harness.options import Budget
from harness.training.losses import (
    class_weights,
    is_correct,
    per_sample_loss,
    probabilities,
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


def test_b5_negatives_weigh_a_tenth():
    """Han et al. 2021, CinC 2021 #80: of one positive and two negative classes."""
    targets = torch.tensor([[1.0, 0.0, 0.0]])
    losses = per_sample_loss(Outputs(LOGITS[:1]), targets, "multi-label", 0.1)
    positive = math.log(1 + math.exp(-2))
    negatives = math.log(2) + math.log(1 + math.exp(-1))
    assert losses.tolist() == [pytest.approx((positive + 0.1 * negatives) / 3)]


def test_b5_the_optimum_is_shifted():
    """Section B5 of the methods' notes: p* = q / (q + 0.1 (1 - q)) at the rate q."""
    rate = torch.tensor([[0.3]])
    optimum = rate / (rate + 0.1 * (1 - rate))
    logits = optimum.logit().requires_grad_()
    per_sample_loss(Outputs(logits), rate, "multi-label", 0.1).sum().backward()
    assert logits.grad.abs().max() < 1e-6


def test_mixed_targets_are_split_between_both_terms():
    targets = torch.tensor([[0.25, 0.0, 1.0], [0.5, 0.75, 0.0]])
    losses = per_sample_loss(Outputs(LOGITS), targets, "multi-label", 0.3)
    present, absent = LOGITS.sigmoid().log(), (-LOGITS).sigmoid().log()
    expected = -(targets * present + 0.3 * (1 - targets) * absent).mean(1)
    torch.testing.assert_close(losses, expected)


def test_steps_have_the_weight_of_negatives_too():
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    steps = torch.stack([LOGITS, LOGITS], dim=2)
    once, twice = (
        per_sample_loss(Outputs(logits), targets, "multi-label", 0.5)
        for logits in (LOGITS, steps)
    )
    torch.testing.assert_close(twice, once)


def test_the_weight_of_negatives_reaches_the_loss(tmp_path):
    run = make_run(tmp_path, negative_weight=0.1, task="multi-label", dropout=0.0)
    run.set_model(run.new_model())
    batch = run.train.batch(range(12))
    losses = run.losses(batch)
    expected = per_sample_loss(run.forward(batch), batch.labels, "multi-label", 0.1)
    torch.testing.assert_close(losses, expected)


def test_a_weight_of_negatives_of_one_is_what_there_was_without(tmp_path):
    plain = make_run(tmp_path / "plain", task="multi-label")
    said = make_run(tmp_path / "said", negative_weight=1.0, task="multi-label")
    assert plain.cell.id == said.cell.id


@pytest.mark.parametrize("weight", [0.0, -0.1, 1.1])
def test_a_weight_of_negatives_that_is_no_share_is_refused(weight):
    with pytest.raises(ValidationError, match="negative_weight"):
        Budget(negative_weight=weight)


def test_a_weight_of_negatives_of_a_single_label_task_is_refused(tmp_path):
    with pytest.raises(CellError, match=r"negative_weight = 0\.1 is for multi-label"):
        make_run(tmp_path, negative_weight=0.1)
