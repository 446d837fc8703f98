"""What each test record adds to a cell's figures: by how much they'd change with it.

The influence of a record is the derivative of a figure with respect to the record's
weight, all weights being 1. Summed over the records of a patient it's that of the
patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.metrics.auroc import Ranking
from harness.metrics.calibration import calibration_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.plugin import Task

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Swayed:
    """A figure, and the influence of each record on it, shape (records,)."""

    value: float
    influence: Floats


def decision_figures(truth: Flags, predicted: Flags, task: Task) -> dict[str, Swayed]:
    """Shares of decisions, both of shape (records, classes), that are right, by name:
    `accuracy`, or for multi-label tasks `exact_match` and `label_accuracy`.
    """
    right = truth == predicted
    whole = right.all(axis=1)
    if task == "single-label":
        return {"accuracy": _share(whole)}
    each = right.mean(axis=1)
    return {"exact_match": _share(whole), "label_accuracy": _share(each)}


def swayed_macro_f1(truth: Flags, predicted: Flags) -> Swayed:
    """The mean of F1 over classes."""
    return _mean(class_f1(truth, predicted))


def class_f1(truth: Flags, predicted: Flags) -> list[Swayed]:
    """F1 of each class; 0, whatever the records, of one neither true nor claimed."""
    hits, named = truth & predicted, truth.astype(np.float64) + predicted
    whole = named.sum(axis=0)
    f1 = np.zeros(len(whole))
    np.divide(2 * hits.sum(axis=0), whole, out=f1, where=whole > 0)
    influence = (2 * hits - f1 * named) / np.maximum(whole, 1)
    return [Swayed(float(f1[i]), influence[:, i]) for i in range(len(f1))]


def balanced_accuracy(truth: Flags, predicted: Flags, task: Task) -> Swayed | None:
    """The mean over classes of the share of their records that are found (recall), both
    of shape (records, classes); classes without records are left out.

    Of multi-label tasks each class is a task of two: the mean of sensitivity and
    specificity (Brodersen et al. 2010). None where no class can be judged.
    """
    right = truth == predicted
    recalls = [_recall(right[:, i], truth[:, i]) for i in range(truth.shape[1])]
    if task == "single-label":
        return _mean(known) if (known := [one for one in recalls if one]) else None
    others = [_recall(right[:, i], ~truth[:, i]) for i in range(truth.shape[1])]
    both = [_mean([a, b]) for a, b in zip(recalls, others, strict=True) if a and b]
    return _mean(both) if both else None


def brier_score(truth: Flags, scores: Floats, task: Task) -> Swayed:
    """The mean squared distance of probabilities, of shape (records, classes), from
    what is true (Brier 1950).

    Summed over the classes of a single-label task, from 0 to 2; averaged over those of
    a multi-label one, from 0 to 1.
    """
    distances = (scores - truth) ** 2
    single = task == "single-label"
    return _share(distances.sum(axis=1) if single else distances.mean(axis=1))


def _recall(right: Flags, of: Flags) -> Swayed | None:
    """The share of some records that is right; None where there are none."""
    count = int(of.sum())
    if not count:
        return None
    share = float(right[of].mean())
    return Swayed(share, of * (right - share) / count)


def probability_figures(truth: Flags, scores: Floats, task: Task) -> dict[str, Swayed]:
    """Figures of probabilities, of shape (records, classes), by name: `macro_auroc`,
    `mean_average_precision` and `calibration_error`; those that are defined.
    """
    rankings = [Ranking(*column) for column in zip(truth.T, scores.T, strict=True)]
    areas = [
        Swayed(area, one.auroc_influence())
        for one in rankings
        if (area := one.auroc()) is not None
    ]
    precisions = [
        Swayed(mean, one.average_precision_influence())
        for one in rankings
        if (mean := one.average_precision()) is not None
    ]
    figures = {}
    if areas:
        figures["macro_auroc"] = _mean(areas)
    if precisions:
        figures["mean_average_precision"] = _mean(precisions)
    if error := calibration_error(truth, scores, task):
        figures["calibration_error"] = Swayed(*error)
    return figures


def _mean(figures: Sequence[Swayed]) -> Swayed:
    """Of classes."""
    return Swayed(
        float(np.mean([one.value for one in figures])),
        np.mean([one.influence for one in figures], axis=0),
    )


def _share(right: NDArray[np.bool_] | Floats) -> Swayed:
    share = float(right.mean())
    return Swayed(share, (right - share) / len(right))
