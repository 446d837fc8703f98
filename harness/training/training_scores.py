"""Macro-F1 and accuracy on what an epoch trained on, from the forwards that it made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.metrics.metrics import THRESHOLD
from harness.training.losses import probabilities

if TYPE_CHECKING:
    from harness.plugin import Task
    from harness.training.outputs import Outputs


def no_decisions(classes: int, device: torch.device) -> Tensor:
    """The counts before the first forward: int64, shape (3 * classes + 2,).

    They add up over batches, parts of batches and processes. In order: hits, labels
    and predictions by class; samples; samples of which no decision can be judged.
    """
    return torch.zeros(3 * classes + 2, dtype=torch.int64, device=device)


@torch.no_grad()
def add_decisions(counts: Tensor, outputs: Outputs, labels: Tensor, task: Task) -> None:
    """Add one forward to the counts, in place; the device isn't waited for.

    The decision is the class of the largest mean probability over valid steps, or
    each class of at least one half. Mixed labels can't be judged, nor can outputs that
    aren't one for each class.

    Parameters
    ----------
    labels
        Class indices, shape (batch,), or targets, shape (batch, classes).
    """
    classes = (len(counts) - 2) // 3
    counts[-2] += len(labels)
    if outputs.logits.shape[1] != classes:
        counts[-1] += len(labels)
        return
    columns = torch.arange(classes, device=labels.device)
    predicted = _predicted(outputs, task, columns)
    if labels.ndim == 1:
        truth = labels.unsqueeze(1) == columns
    else:
        truth = labels >= THRESHOLD
        between = (labels != 0) & (labels != 1)
        counts[-1] += (between.any(1) | (task == "single-label")).sum()
    by_class = torch.stack([truth & predicted, truth, predicted]).sum(1)
    counts[:-2] += by_class.flatten()


def _predicted(outputs: Outputs, task: Task, columns: Tensor) -> Tensor:
    """Decisions, bool, shape (batch, classes)."""
    if task == "multi-label":
        return probabilities(outputs, task) >= THRESHOLD
    stepless = outputs.logits.ndim == 2
    values = outputs.logits if stepless else probabilities(outputs, task)
    return values.argmax(1, keepdim=True) == columns


def training_scores(counts: Sequence[int], task: Task) -> dict[str, float | None]:
    """What an epoch's counts are worth, as `harness.metrics.metrics` defines it.

    None where no sample was trained on, or where some had mixed labels; `accuracy` is
    for single-label tasks, `label_accuracy` for multi-label ones.
    """
    *by_class, samples, mixed = counts
    classes = len(by_class) // 3
    scores: dict[str, float | None]
    scores = {"macro_f1": None, "accuracy": None, "label_accuracy": None}
    if not samples or mixed:
        return scores
    hits, actual, claimed = (
        by_class[i : i + classes] for i in range(0, 3 * classes, classes)
    )
    f1 = [
        2 * h / (a + c) if a + c else 0.0
        for h, a, c in zip(hits, actual, claimed, strict=True)
    ]
    scores["macro_f1"] = sum(f1) / classes
    if task == "single-label":
        return {**scores, "accuracy": sum(hits) / samples}
    wrong = sum(actual) + sum(claimed) - 2 * sum(hits)
    return {**scores, "label_accuracy": 1 - wrong / (samples * classes)}
