"""How far probabilities are from how often they come true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from harness.plugin import Task

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BINS = 15
"""Of equal width, between 0 and 1; each holds its upper end (Guo et al. 2017)."""
_ROUNDING = 1e-9
_INNER_EDGES = np.linspace(0, 1, BINS + 1)[1:-1]


def calibration_error(
    truth: Flags, scores: Floats, task: Task
) -> tuple[float, Floats] | None:
    """The expected calibration error, and the influence of each record on it.

    In each bin of probabilities, how far their mean is from the share that came true;
    averaged over bins by how many records they hold (Guo et al. 2017, equation 3). Of
    single-label tasks that of the most probable class; of multi-label ones the mean
    over classes, each for itself (Nixon et al. 2019). With few records it is too high
    even where probabilities are right.

    Parameters
    ----------
    truth, scores
        Shape (records, classes).

    Returns
    -------
    tuple or None
        The error, and its derivative with respect to the weight of each record, shape
        (records,); None without records.
    """
    records = len(scores)
    if not records:
        return None
    if task == "single-label":
        rows, best = np.arange(records), scores.argmax(axis=1)
        scores, truth = scores[rows, best][:, None], truth[rows, best][:, None]
    classes = scores.shape[1]
    bins = np.searchsorted(_INNER_EDGES, scores) + BINS * np.arange(classes)
    apart = scores - truth
    summed = np.bincount(bins.ravel(), apart.ravel(), BINS * classes)
    error = float(np.abs(summed).sum()) / (records * classes)
    # Where a bin is right there is no slope: that to both sides is 0 in the mean.
    side = np.where(np.abs(summed) > _ROUNDING, np.sign(summed), 0.0)
    swayed = (side[bins] * apart).mean(axis=1)
    return error, (swayed - error) / records
