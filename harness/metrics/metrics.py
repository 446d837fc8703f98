"""Quality of predicted probabilities: what every table and every history shows.

The same figures as scikit-learn's, without its second of imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import CellError, PluginError
from harness.metrics.auroc import Ranking
from harness.metrics.calibration import calibration_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.plugin import Task

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

THRESHOLD = 0.5
"""Of a multi-label decision (probability >= threshold) wherever rows are ranked."""


def evaluate_probabilities(
    probabilities: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    task: Task,
    class_subsets: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """All metrics of one split, as plain JSON values; None where undefined.

    Parameters
    ----------
    probabilities
        Shape (records, classes): softmax or sigmoid outputs.
    labels
        Shape (records,), class indices, for single-label tasks; shape
        (records, classes), 0 or 1, for multi-label ones.
    classes
        Class names in the order of the columns.
    class_subsets
        Further means of per-class F1, by name: `{"f1_nao": ["N", "A", "O"]}`.

    Returns
    -------
    dict
        `records`: their number.
        `accuracy`: share of records whose most probable class is the true one (ties
        to the first class); None for multi-label tasks, where the word is ambiguous
        and these two stand instead (None for single-label ones):
        `exact_match`, the share of records with every label right, and
        `label_accuracy`, the share of all (record, class) decisions that are right.
        `macro_f1`: mean of `f1` over all declared classes, absent ones included.
        `f1`, `precision`, `recall`: by class; 0 where the denominator is 0.
        `class_subsets`: mean F1 of each subset, by name.
        `auroc`: by class, one against the rest; None where the split lacks positives
        or negatives. `macro_auroc`: mean over the `auroc_classes` that have one.
        `average_precision`: by class; None where the split lacks positives.
        `mean_average_precision`: mean over the classes that have one.
        `calibration_error`: as `harness.metrics.calibration.calibration_error`.
        `log_loss`: in nats; mean cross-entropy over records, or mean binary
        cross-entropy over records and classes.
        `support`: records that have the class.
        `confusion`: counts, rows true, columns predicted; None for multi-label tasks.

    Raises
    ------
    CellError
        If a probability isn't finite: the model has diverged.
    PluginError
        If a class subset names an unknown class.
    ValueError
        If shapes or label values don't fit the classes.
    """
    given = np.asarray(probabilities)
    scores = given.astype(np.float64)
    _check_scores(scores, len(classes))
    truth, predicted = decisions(scores, np.asarray(labels), task)
    calibration = calibration_error(truth, scores, task)
    return {
        "records": len(scores),
        **_accuracies(truth, predicted, task),
        **_f1_scores(truth, predicted, classes, class_subsets or {}),
        **_ranking_scores(truth, scores, classes),
        "calibration_error": calibration[0] if calibration else None,
        "log_loss": _log_loss(truth, scores, task, _epsilon(given)),
        "support": dict(zip(classes, truth.sum(axis=0).tolist(), strict=True)),
        "confusion": _confusion(truth, predicted) if task == "single-label" else None,
    }


def evaluate_at_thresholds(
    probabilities: ArrayLike,
    labels: ArrayLike,
    thresholds: Mapping[str, float],
    class_subsets: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """What multi-label decisions are worth at a threshold of each class' own.

    Parameters
    ----------
    probabilities
        Shape (records, classes).
    labels
        0 or 1, shape (records, classes).
    thresholds
        By class, in the order of the columns; chosen on other records than these.

    Returns
    -------
    dict
        `thresholds`, and of `evaluate_probabilities` what depends on them:
        `exact_match`, `label_accuracy`, `macro_f1`, `f1`, `precision`, `recall` and
        `class_subsets`.

    Raises
    ------
    CellError, PluginError, ValueError
        As `evaluate_probabilities`.
    """
    scores = np.asarray(probabilities).astype(np.float64)
    _check_scores(scores, len(thresholds))
    limits = np.array(list(thresholds.values()))
    truth, predicted = decisions(scores, np.asarray(labels), "multi-label", limits)
    accuracies = _accuracies(truth, predicted, "multi-label")
    return {
        "thresholds": dict(thresholds),
        **{name: value for name, value in accuracies.items() if name != "accuracy"},
        **_f1_scores(truth, predicted, list(thresholds), class_subsets or {}),
    }


def _check_scores(scores: Floats, classes: int) -> None:
    if scores.ndim != 2 or scores.shape[1] != classes:
        raise ValueError(f"probabilities {scores.shape} don't fit {classes} classes")
    broken = int((~np.isfinite(scores)).any(axis=1).sum())
    if broken:
        raise CellError(
            f"the model gave probabilities that aren't finite for {broken} of "
            f"{len(scores)} records: the training has diverged (a lower learning "
            f"rate or fp32 may help)"
        )


def decisions(
    scores: Floats,
    labels: NDArray[Any],
    task: Task,
    thresholds: Floats | float = THRESHOLD,
) -> tuple[Flags, Flags]:
    """True and predicted labels, both bool of shape (records, classes)."""
    records, classes = scores.shape
    if task == "multi-label":
        if labels.shape != scores.shape or not np.isin(labels, (0, 1)).all():
            raise ValueError(f"labels must be 0 or 1, of shape {scores.shape}")
        return labels.astype(bool), scores >= thresholds
    if labels.shape != (records,) or not np.isin(labels, range(classes)).all():
        raise ValueError(f"labels must be {records} class indices below {classes}")
    columns = np.arange(classes)
    return labels[:, None] == columns, scores.argmax(axis=1)[:, None] == columns


def _f1_scores(
    truth: Flags,
    predicted: Flags,
    classes: Sequence[str],
    class_subsets: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """F1, precision and recall by class, and the means of F1."""
    f1, precision, recall = _class_scores(truth, predicted)
    by_class = dict(zip(classes, f1.tolist(), strict=True))
    return {
        "macro_f1": float(f1.mean()),
        "f1": by_class,
        "precision": dict(zip(classes, precision.tolist(), strict=True)),
        "recall": dict(zip(classes, recall.tolist(), strict=True)),
        "class_subsets": {
            name: _subset_mean(name, members, by_class)
            for name, members in class_subsets.items()
        },
    }


def _class_scores(truth: Flags, predicted: Flags) -> tuple[Floats, Floats, Floats]:
    """F1, precision and recall, each of shape (classes,)."""
    hits = (truth & predicted).sum(axis=0)
    actual, claimed = truth.sum(axis=0), predicted.sum(axis=0)
    return (
        _ratio(2 * hits, actual + claimed),
        _ratio(hits, claimed),
        _ratio(hits, actual),
    )


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    ratio = np.zeros(len(numerator))
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _accuracies(truth: Flags, predicted: Flags, task: Task) -> dict[str, float | None]:
    right = truth == predicted
    whole = float(right.all(axis=1).mean()) if len(right) else None
    if task == "single-label":
        return {"accuracy": whole, "exact_match": None, "label_accuracy": None}
    each = float(right.mean()) if len(right) else None
    return {"accuracy": None, "exact_match": whole, "label_accuracy": each}


def _subset_mean(
    name: str, members: Sequence[str], by_class: Mapping[str, float]
) -> float:
    unknown = sorted(set(members) - set(by_class))
    if unknown or not members:
        raise PluginError(
            f"class subset {name!r} names {unknown or 'no class'}; "
            f"the classes are {list(by_class)}"
        )
    return float(np.mean([by_class[member] for member in members]))


def _ranking_scores(
    truth: Flags, scores: Floats, classes: Sequence[str]
) -> dict[str, Any]:
    """How well records of each class are put above the others, and the means."""
    rankings = [Ranking(*column) for column in zip(truth.T, scores.T, strict=True)]
    auroc = [ranking.auroc() for ranking in rankings]
    precision = [ranking.average_precision() for ranking in rankings]
    return {
        "macro_auroc": _mean_of_known(auroc),
        "auroc": dict(zip(classes, auroc, strict=True)),
        "auroc_classes": sum(area is not None for area in auroc),
        "mean_average_precision": _mean_of_known(precision),
        "average_precision": dict(zip(classes, precision, strict=True)),
    }


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _epsilon(given: NDArray[Any]) -> float:
    """What a probability of 0 is raised to: the resolution of the given numbers."""
    kind = given.dtype if given.dtype.kind == "f" else np.dtype(np.float64)
    return float(np.finfo(kind).eps)


def _log_loss(truth: Flags, scores: Floats, task: Task, epsilon: float) -> float | None:
    if not len(scores):
        return None
    clipped = np.clip(scores, epsilon, 1 - epsilon)
    if task == "single-label":
        return float(-np.log(clipped[truth]).mean())
    return float(-np.log(np.where(truth, clipped, 1 - clipped)).mean())


def _confusion(truth: Flags, predicted: Flags) -> list[list[int]]:
    counts: list[list[int]] = (truth.T.astype(np.int64) @ predicted).tolist()
    return counts
