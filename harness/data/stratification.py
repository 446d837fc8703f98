"""Splits in which each class has its share, disjoint by patient."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.data.order import generator
from harness.data.split_names import SPLITS
from harness.options import Split


def stratified(records: pd.DataFrame, split: Split) -> pd.Series:
    """Divide patients so that each split has its share of each class.

    Iterative stratification (Sechidis et al. 2011, doi:10.1007/978-3-642-23808-6_10,
    algorithm 1) over patients, each with the classes of all their records. Where
    records have one class this is stratification by the patient's rarest class.
    """
    shares = np.array([1 - split.validation - split.test, split.validation, split.test])
    patients = pd.unique(records["patient"])
    order = generator(split.seed, "split").permutation(len(patients))
    patients = patients[order]
    row = pd.Series(np.arange(len(patients)), index=patients)
    classes = sorted({c for labels in records["labels"] for c in labels})
    column = {c: i for i, c in enumerate(classes)}
    has = np.zeros((len(patients), len(classes)), dtype=bool)
    for patient, labels in zip(records["patient"], records["labels"], strict=True):
        has[row[patient], [column[c] for c in labels]] = True
    names = np.array(SPLITS, dtype=object)[iterative_stratification(has, shares)]
    return pd.Series(names[row[records["patient"]]], records.index)


def iterative_stratification(has: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The subset of each example, by algorithm 1 of Sechidis et al. (2011).

    Parameters
    ----------
    has
        bool, shape (examples, labels). Ties between examples go by their order, ties
        between subsets to the first.
    shares
        Shape (subsets,), summing to 1.

    Returns
    -------
    ndarray
        int64, shape (examples,).
    """
    subset = np.full(len(has), -1, dtype=np.int64)
    wanted = len(has) * shares
    wanted_of = np.outer(shares, has.sum(axis=0))

    def place(example: int, preference: np.ndarray) -> None:
        best = int(np.lexsort((np.arange(len(shares)), -wanted, -preference))[0])
        subset[example] = best
        wanted[best] -= 1
        wanted_of[best, has[example]] -= 1

    while True:
        left = has[subset < 0].sum(axis=0)
        if not left.any():
            break
        label = int(np.argmin(np.where(left > 0, left, len(has) + 1)))
        for example in np.flatnonzero(has[:, label] & (subset < 0)):
            place(int(example), wanted_of[:, label])
    for example in np.flatnonzero(subset < 0):
        place(int(example), wanted)
    return subset
