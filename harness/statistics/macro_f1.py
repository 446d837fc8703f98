"""Macro-F1 of many cells in every draw of patients, by products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.bootstrap import PatientDraws

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a cell decided on its test records.

    Attributes
    ----------
    records, patients
        str, shape (records,).
    truth, predicted
        bool, shape (records, classes); with one label a record, one True a row.
    """

    records: NDArray[np.str_]
    patients: NDArray[np.str_]
    truth: Flags
    predicted: Flags

    def same_records(self, other: Decisions) -> bool:
        """Whether both are about the same records, in the same order, labelled alike
        and of the same patients.
        """
        pairs = (
            (self.records, other.records),
            (self.patients, other.patients),
            (self.truth, other.truth),
        )
        return all(one is two or np.array_equal(one, two) for one, two in pairs)


def resampled_macro_f1(
    decisions: Sequence[Decisions], draws: PatientDraws
) -> tuple[Floats, Floats]:
    """Macro-F1 of each cell, and the same with its patients weighted by each draw.

    As `harness.metrics.metrics.evaluate_probabilities`: the mean F1 over all classes, 0
    for one that is neither true nor claimed.

    Parameters
    ----------
    decisions
        Of cells with the same classes; their patients are among those of `draws`.

    Returns
    -------
    tuple
        Shape (cells,) and (cells, draws).
    """
    plain = np.zeros(len(decisions))
    drawn = np.zeros((len(decisions), draws.draws))
    test_sets = [
        (members, *_counts([decisions[i] for i in members], draws.patients))
        for members in _by_test_set(decisions)
    ]
    for members, present, counts in test_sets:
        ones = np.ones((1, len(present)), dtype=np.float32)
        plain[members] = _macro_f1(ones @ counts, len(members))[:, 0]
    start = 0
    for weights in draws:
        end = start + len(weights)
        for members, present, counts in test_sets:
            whole = len(present) == weights.shape[1]
            product = (weights if whole else weights[:, present]) @ counts
            drawn[members, start:end] = _macro_f1(product, len(members))
        start = end
    return plain, drawn


def _by_test_set(decisions: Sequence[Decisions]) -> list[list[int]]:
    """Positions of the cells, those on the same records together."""
    groups: list[list[int]] = []
    for i, one in enumerate(decisions):
        for group in groups:
            if one.same_records(decisions[group[0]]):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def _counts(
    decisions: Sequence[Decisions], patients: NDArray[np.str_]
) -> tuple[NDArray[np.int64], Counts]:
    """Which patients a test set has, and for each of them: how many of its records
    have each class; then, cell by cell, of how many it was claimed, rightly claimed.

    Returns
    -------
    tuple
        Positions in `patients`, shape (present,); whole numbers, shape (present,
        classes x (1 + 2 x cells)).
    """
    first = decisions[0]
    place = np.searchsorted(patients, first.patients)
    order = np.argsort(place, kind="stable")
    present, starts = np.unique(place[order], return_index=True)
    flags = [first.truth]
    for one in decisions:
        flags += [one.predicted, one.predicted & one.truth]
    table = np.concatenate(flags, axis=1)[order].astype(np.float32)
    return present, np.add.reduceat(table, starts, axis=0)


def _macro_f1(product: Counts, cells: int) -> Floats:
    """Macro-F1 of weighted counts, shape (cells, draws).

    The counts are whole numbers below 2 ** 24, so that float32 holds them exactly, in
    whichever order they were added up.
    """
    classes = product.shape[1] // (1 + 2 * cells)
    rows = product.reshape(len(product), -1, classes)
    actual, claimed, hits = rows[:, :1], rows[:, 1::2], rows[:, 2::2]
    # Where nothing is true or claimed nothing is hit, so that F1 is 0 there.
    f1 = hits / np.maximum(actual + claimed, 1, dtype=np.float64)
    mean: Floats = f1.sum(axis=2) * (2 / classes)
    return mean.T
