"""Predictions on a split, and what they are worth; multi-label ones in two ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.data.batch import Batch
from harness.data.order import batches
from harness.data.split import SplitData
from harness.data.windows import Windows, windows_of
from harness.errors import CellError, Interrupted, PluginError
from harness.metrics.metrics import evaluate_at_thresholds, evaluate_probabilities
from harness.metrics.thresholds import best_thresholds

if TYPE_CHECKING:
    from harness.data.splits_loaded import DataSplits
    from harness.training.run import Run


@dataclass(frozen=True)
class Evaluation:
    """One split, judged.

    Attributes
    ----------
    probabilities
        float32, shape (records, classes), in the order of the split's records.
    metrics
        As `harness.metrics.metrics.evaluate_probabilities` gives them.
    """

    probabilities: NDArray[np.float32]
    metrics: dict[str, Any]


def evaluate(
    run: Run,
    split: SplitData,
    class_subsets: Mapping[str, Sequence[str]] | None = None,
) -> Evaluation:
    """Send a split through the model in eval mode; counted as evaluation, not cost.

    A record that the split says is to be cut goes through window by window; what
    `predict` makes of these is combined.

    Raises
    ------
    PluginError
        If a `predict` hook returns no probabilities of the right shape.
    """
    was_training = run.model.training
    run.model.eval()
    run.even_out()
    with run.clock.measure("evaluation"), run.meter.paused(), torch.no_grad():
        probabilities = _predict(run, split.without_views())
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
    windows = windows_of(split)
    # Neighbours in length share a batch, so that whole records need little padding.
    order = np.argsort(windows.rows.lengths, kind="stable")
    budget = run.cell.budget
    parts = batches(order, min(budget.batch_size, budget.micro_batch or len(order)))
    own = parts[run.processes.rank :: run.processes.count]
    told = run.processes.gather([(p, _predict_batch(run, windows, p)) for p in own])
    each = _each_once([part for parts in told for part in parts], len(windows))
    return windows.combined(each, sum_to_one=run.task == "single-label")


def _predict_batch(
    run: Run, windows: Windows, positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Probabilities of some windows, shape (windows, classes)."""
    # Processes that share the cell stop together, between two iterations of a loop.
    if run.processes.count == 1 and run.loops.stop_requested:
        raise Interrupted("asked to stop")
    run.loops.ticks += 1
    batch = _without_answers(windows.batch(positions)).to(run.device)
    outputs = run.forward(batch)
    predicted = run.hook.predict(run=run, batch=batch, outputs=outputs)
    if predicted.shape != (len(batch), len(run.classes)):
        raise PluginError(
            f"predict must return shape {(len(batch), len(run.classes))}, "
            f"got {tuple(predicted.shape)}"
        )
    values: NDArray[np.float32] = predicted.float().cpu().numpy()
    return values


def _each_once(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], number: int
) -> NDArray[np.float32]:
    """Probabilities in the order of the windows, each window's once."""
    positions = np.concatenate([where for where, _ in parts])
    if not np.array_equal(np.sort(positions), np.arange(number)):
        raise CellError("a record was not judged exactly once")
    values = np.concatenate([found for _, found in parts])
    ordered = np.empty_like(values)
    ordered[positions] = values
    return ordered


ClassSubsets = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Judgement:
    """The weights of a run at some time, judged.

    Attributes
    ----------
    test, validation
        At a threshold of 0.5 where the task is multi-label.
    test_tuned
        Of multi-label tasks, the test split at the thresholds that are best on the
        validation split, as `harness.metrics.metrics.evaluate_at_thresholds` gives
        it; else None.
    """

    test: Evaluation
    validation: Evaluation
    test_tuned: dict[str, Any] | None


def judge(run: Run, splits: DataSplits, class_subsets: ClassSubsets) -> Judgement:
    """Judge the run's present weights on both splits."""
    test = evaluate(run, splits.test, class_subsets)
    validation = evaluate(run, splits.validation, class_subsets)
    tuned = _tuned(splits, test, validation, class_subsets)
    return Judgement(test, validation, tuned)


def judge_snapshot(
    run: Run, splits: DataSplits, class_subsets: ClassSubsets
) -> dict[str, Any]:
    """The part of a snapshot's entry on its quality: `test`, of multi-label tasks
    `test_tuned` too.
    """
    if run.task == "single-label":
        return {"test": evaluate(run, splits.test, class_subsets).metrics}
    judged = judge(run, splits, class_subsets)
    return {"test": judged.test.metrics, "test_tuned": judged.test_tuned}


def _tuned(
    splits: DataSplits,
    test: Evaluation,
    validation: Evaluation,
    class_subsets: ClassSubsets,
) -> dict[str, Any] | None:
    if splits.task == "single-label":
        return None
    labels = splits.validation.labels.numpy()
    thresholds = best_thresholds(validation.probabilities, labels, splits.classes)
    return evaluate_at_thresholds(
        test.probabilities, splits.test.labels.numpy(), thresholds, class_subsets
    )
