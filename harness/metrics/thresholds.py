"""Thresholds of multi-label decisions, chosen on a validation split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from harness.metrics.metrics import THRESHOLD, Flags, Floats

if TYPE_CHECKING:
    from collections.abc import Sequence


def best_thresholds(
    probabilities: ArrayLike, labels: ArrayLike, classes: Sequence[str]
) -> dict[str, float]:
    """For each class the threshold that maximises its F1 on these records.

    A class is decided where its probability is at least the threshold. F1 changes at
    the probabilities themselves, so these and 0.5 are tried; of several that do
    equally well, the one nearest to 0.5 is taken, and of two as near the lower. A
    class that no record has keeps 0.5.

    The optimum of F1 is no fixed probability: it is half the best F1 that a calibrated
    classifier reaches (Lipton, Elkan & Naryanaswamy 2014, arXiv 1402.1892, theorem 1),
    and weights of the loss shift it further.

    Parameters
    ----------
    probabilities
        Finite, shape (records, classes), of the validation split.
    labels
        0 or 1, shape (records, classes).
    classes
        Class names in the order of the columns.
    """
    scores = np.asarray(probabilities).astype(np.float64)
    truth = np.asarray(labels).astype(bool)
    columns = zip(classes, truth.T, scores.T, strict=True)
    return {name: _best_threshold(*column) for name, *column in columns}


def _best_threshold(truth: Flags, scores: Floats) -> float:
    positives = int(truth.sum())
    if not positives:
        return THRESHOLD
    tried = np.union1d(scores, THRESHOLD)
    claimed = len(scores) - np.searchsorted(np.sort(scores), tried)
    hits = positives - np.searchsorted(np.sort(scores[truth]), tried)
    f1 = 2 * hits / (positives + claimed)
    best: list[float] = tried[f1 == f1.max()].tolist()
    return min(best, key=lambda t: (abs(t - THRESHOLD), t))
