"""The default losses and predictions, for logits with and without steps."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from harness.errors import CellError
from harness.options import Budget
from harness.plugin import Task
from harness.training.outputs import Outputs


def per_sample_loss(
    outputs: Outputs, labels: Tensor, task: Task, negative_weight: float = 1.0
) -> Tensor:
    """Cross-entropy, or binary cross-entropy averaged over classes; shape (batch,).

    Labels may be class indices, shape (batch,), or targets, shape (batch, classes).
    Where logits have steps, every valid step has its record's label, and the losses
    of its steps are averaged.

    Parameters
    ----------
    negative_weight
        Multi-label: w in -mean_c [y log s(z) + w (1 - y) log s(-z)], s the sigmoid
        (0.1 in Han et al. 2021, CinC 2021 #80).
    """
    logits = outputs.logits
    if logits.ndim == 2:
        return _loss(logits, labels, task, negative_weight)
    steps = logits.shape[2]
    flat = logits.transpose(1, 2).flatten(0, 1)
    repeated = labels.repeat_interleave(steps, 0)
    losses = _loss(flat, repeated, task, negative_weight).view(-1, steps)
    return mean_over_steps(losses.unsqueeze(1), outputs.step_mask).squeeze(1)


def _loss(logits: Tensor, labels: Tensor, task: Task, negative_weight: float) -> Tensor:
    if task == "single-label":
        return functional.cross_entropy(logits, labels, reduction="none")
    if negative_weight != 1:
        present = labels * functional.logsigmoid(logits)
        absent = (1 - labels) * functional.logsigmoid(-logits)
        return -(present + negative_weight * absent).mean(1)
    return functional.binary_cross_entropy_with_logits(
        logits, labels, reduction="none"
    ).mean(1)


def check_suits(budget: Budget, task: Task, dataset: str) -> None:
    """Refuse ways to weigh losses that are made for the other task.

    Raises
    ------
    CellError
        Naming the setting and the data set.
    """
    rule, weight = budget.class_weights, budget.negative_weight
    if task == "multi-label" and rule != "none":
        setting, other = f'class_weights = "{rule}"', "single-label"
    elif task == "single-label" and weight != 1:
        setting, other = f"negative_weight = {weight:g}", "multi-label"
    else:
        return
    raise CellError(f"budget.{setting} is for {other} tasks; {dataset} is {task} here")


def class_weights(
    labels: Tensor, classes: int, rule: Literal["none", "sqrt", "balanced"]
) -> Tensor | None:
    """What each class' losses are multiplied by, shape (classes,); None for 1.

    Parameters
    ----------
    labels
        Class indices of the training split, shape (records,). Over them the weights
        have a mean of 1; a class that they lack has the weight of one with one record.
    """
    if rule == "none":
        return None
    counts = torch.bincount(labels, minlength=classes).float()
    raw = (len(labels) / counts.clamp_min(1)) ** (0.5 if rule == "sqrt" else 1.0)
    return raw / ((raw * counts).sum() / len(labels))


def weight_of(labels: Tensor, weights: Tensor) -> Tensor:
    """Each sample's weight, shape (batch,); of mixed labels in their shares."""
    return weights[labels] if labels.ndim == 1 else labels @ weights


def probabilities(outputs: Outputs, task: Task) -> Tensor:
    """Softmax or sigmoid, shape (batch, classes); the mean over valid steps."""
    single = task == "single-label"
    values = outputs.logits.softmax(1) if single else outputs.logits.sigmoid()
    return values if values.ndim == 2 else mean_over_steps(values, outputs.step_mask)


def mean_over_steps(values: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over the last axis of (batch, channels, steps), under a mask."""
    if mask is None:
        return values.mean(2)
    weights = mask.unsqueeze(1).to(values.dtype)
    return (values * weights).sum(2) / weights.sum(2).clamp_min(1)


def true_class_probability(probability: Tensor, labels: Tensor, task: Task) -> Tensor:
    """The probability given to the truth, shape (batch,).

    Single-label: of the true class; of mixed labels, of the largest one, as a perfect
    model can't give their expectation more than the sum of their squares.
    Multi-label: the mean over classes of p where the class is present, 1 - p else.
    """
    if labels.ndim == 1:
        return probability.gather(1, labels.unsqueeze(1)).squeeze(1)
    if task == "single-label":
        return probability.gather(1, labels.argmax(1, keepdim=True)).squeeze(1)
    return (probability * labels + (1 - probability) * (1 - labels)).mean(1)


def is_correct(probability: Tensor, labels: Tensor, task: Task) -> Tensor:
    """Whether the prediction is right, bool, shape (batch,).

    The largest of mixed single labels is the truth; multi-label samples must have
    every class on the right side of one half.
    """
    if task == "multi-label":
        return ((probability >= 0.5) == (labels >= 0.5)).all(1)
    truth = labels if labels.ndim == 1 else labels.argmax(1)
    return probability.argmax(1) == truth
