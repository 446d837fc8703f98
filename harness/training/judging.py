"""What finished weights are worth on the test split, multi-label ones in two ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.metrics import evaluate_at_thresholds
from harness.thresholds import best_thresholds
from harness.training.evaluation import Evaluation, evaluate

if TYPE_CHECKING:
    from harness.data.loading import DataSplits
    from harness.training.run import Run

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
        validation split, as `harness.metrics.evaluate_at_thresholds` gives it; else
        None.
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
