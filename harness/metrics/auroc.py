"""How well scores put records that have a class above those that haven't.

The same figures as scikit-learn's, and how each record sways them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Ranking:
    """Records of which some have a class, by falling score; equal scores share a place.

    The influence of a record is the derivative of a figure with respect to the
    record's weight, all weights being 1 (Hampel 1974): that of several records that
    come and go together is the sum of theirs, and it is 0 over all.

    Parameters
    ----------
    truth
        Shape (records,).
    scores
        Finite, shape (records,).
    """

    def __init__(self, truth: Flags, scores: Floats) -> None:
        _, rising = np.unique(scores, return_inverse=True)
        places = int(rising.max()) + 1 if len(rising) else 0
        self._place = places - 1 - rising
        self._truth = truth
        every = np.bincount(self._place, minlength=places)
        self._hits = np.bincount(self._place[truth], minlength=places)
        self._misses = every - self._hits
        self._positives = int(self._hits.sum())
        self._negatives = int(self._misses.sum())
        self._precision = np.cumsum(self._hits) / np.cumsum(every)
        self._claimed = np.cumsum(every)

    def auroc(self) -> float | None:
        """The area under the ROC curve, as the Mann-Whitney statistic: the share of
        pairs of a record with and one without the class in which the former has the
        higher score, ties counted half; None without such pairs.
        """
        if not self._positives or not self._negatives:
            return None
        return self._area()

    def auroc_influence(self) -> Floats:
        """Of each record, shape (records,), on an area that there is (DeLong et al.
        1988, equation 5: its placement value less the area, over the records of its
        kind).
        """
        below = self._negatives - np.cumsum(self._misses) + self._misses / 2
        placed = np.where(
            self._truth,
            below[self._place] / self._negatives,
            self._hits_above()[self._place] / self._positives,
        )
        of_its_kind = np.where(self._truth, self._positives, self._negatives)
        influence: Floats = (placed - self._area()) / of_its_kind
        return influence

    def average_precision(self) -> float | None:
        """Precision at the score of each record that has the class, averaged; None
        where no record has it.
        """
        if not self._positives:
            return None
        return self._mean_precision()

    def average_precision_influence(self) -> Floats:
        """Of each record, shape (records,), where there is an average precision."""
        mean = self._mean_precision()
        claimed = self._hits / self._claimed
        lost = np.cumsum((claimed * self._precision)[::-1])[::-1]
        gained = np.cumsum(claimed[::-1])[::-1] + self._precision
        swayed = np.where(self._truth, gained[self._place] - mean, 0.0)
        influence: Floats = (swayed - lost[self._place]) / self._positives
        return influence

    def _area(self) -> float:
        pairs = self._positives * self._negatives
        return float(self._misses @ self._hits_above() / pairs)

    def _mean_precision(self) -> float:
        return float(self._hits @ self._precision / self._positives)

    def _hits_above(self) -> Floats:
        """Records with the class above each place, those at the place counted half."""
        above: Floats = np.cumsum(self._hits) - self._hits / 2
        return above
