"""Predictions on a split, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.data.batch import Batch
from harness.data.order import batches
from harness.data.split_data import SplitData
from harness.errors import Interrupted, PluginError
from harness.metrics import evaluate_probabilities

if TYPE_CHECKING:
    from harness.training.run import Run


@dataclass(frozen=True)
class Evaluation:
    """One split, judged.

    Attributes
    ----------
    probabilities
        float32, shape (records, classes), in the order of the split's records.
    metrics
        As `harness.metrics.evaluate_probabilities` gives them.
    """

    probabilities: NDArray[np.float32]
    metrics: dict[str, Any]


def evaluate(
    run: Run,
    split: SplitData,
    class_subsets: Mapping[str, Sequence[str]] | None = None,
) -> Evaluation:
    """Send a split through the model in eval mode; counted as evaluation, not cost.

    Raises
    ------
    PluginError
        If a `predict` hook returns no probabilities of the right shape.
    """
    was_training = run.model.training
    run.model.eval()
    with run.clock.measure("evaluation"), run.meter.paused(), torch.no_grad():
        probabilities = _predict(run, split)
    run.model.train(was_training)
    labels = split.labels.numpy()
    metrics = evaluate_probabilities(
        probabilities, labels, run.classes, run.task, class_subsets
    )
    return Evaluation(probabilities, metrics)


def _without_answers(batch: Batch) -> Batch:
    """The batch as a `predict` hook may see it: what is asked isn't told."""
    return replace(batch, labels=torch.full_like(batch.labels, -1))


def _predict(run: Run, split: SplitData) -> NDArray[np.float32]:
    found = np.empty((len(split), len(run.classes)), dtype=np.float32)
    # Neighbours in length share a batch, so that whole records need little padding.
    order = np.argsort(split.lengths, kind="stable")
    for positions in batches(order, run.cell.budget.batch_size):
        if run.loops.stop_requested:
            raise Interrupted("asked to stop")
        batch = _without_answers(split.batch(positions)).to(run.device)
        outputs = run.forward(batch)
        predicted = run.hook.predict(run=run, batch=batch, outputs=outputs)
        if predicted.shape != (len(batch), len(run.classes)):
            raise PluginError(
                f"predict must return shape {(len(batch), len(run.classes))}, "
                f"got {tuple(predicted.shape)}"
            )
        found[positions] = predicted.float().cpu().numpy()
    return found
