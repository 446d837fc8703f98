"""Patients drawn with replacement: the same draws for whatever is compared on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
_FEWEST_DRAWS, _CELLS_AT_FULL = 2_000, 50
_MOST_DRAWS, _MOST_PATIENTS = 500, 1 << 22
"""Drawn at a time, so that what is in memory stays small."""


def draws_for(cells: int) -> int:
    """How many draws are worth their time for so many cells: 10,000 for up to
    fifty, then as many as take no longer, but 2,000 at least, with which intervals are
    as wide to within 2 % (one standard deviation).
    """
    return max(_FEWEST_DRAWS, DRAWS * _CELLS_AT_FULL // max(cells, _CELLS_AT_FULL))


class PatientDraws:
    """How often each patient is drawn, in each of many draws of as many patients.

    All records of a patient are drawn together (Efron & Tibshirani 1993, chapter 8;
    Field & Welsh 2007, the cluster bootstrap). The draws follow from the patients
    alone: no state is kept, and equal patients give equal draws.

    Parameters
    ----------
    patients
        All that are in any of the test sets to be compared, in any order; a patient
        of several sets has the same weight in each.

    Attributes
    ----------
    patients
        str, shape (patients,): sorted, each once.
    """

    def __init__(self, patients: Iterable[str], draws: int = DRAWS) -> None:
        self.patients: NDArray[np.str_] = np.array(sorted(set(patients)), dtype=np.str_)
        self.draws = draws

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Weights in parts: shape (some draws, patients), whole numbers."""
        size = len(self.patients)
        random = np.random.default_rng(self._seed())
        at_a_time = min(_MOST_DRAWS, max(1, _MOST_PATIENTS // size))
        for start in range(0, self.draws, at_a_time):
            rows = min(at_a_time, self.draws - start)
            drawn = random.integers(size, size=(rows, size))
            drawn += size * np.arange(rows)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=rows * size)
            yield counts.reshape(rows, size).astype(np.float32)

    def _seed(self) -> int:
        content = "\n".join(self.patients.tolist()).encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
