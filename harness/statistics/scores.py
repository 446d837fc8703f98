"""Scores of cells on test records, and how the sampling of patients moves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scores:
    """One figure of many cells.

    Attributes
    ----------
    values
        Shape (cells,).
    covariance
        What other patients in the test set would make of two cells' figures together,
        shape (cells, cells).
    """

    values: Floats
    covariance: Floats

    @classmethod
    def of_draws(cls, values: Floats, drawn: Floats) -> Scores:
        """From the figures in each draw of patients, shape (cells, draws)."""
        return cls(values, np.atleast_2d(np.cov(drawn)))

    @classmethod
    def of_influence(cls, values: Floats, influence: Floats) -> Scores:
        """From the influence of each patient on each figure, shape (cells, patients).

        What draws of patients come to where there are many: the infinitesimal
        jackknife (Efron 1982, chapter 6), for areas under the ROC curve the covariance
        of DeLong et al. (1988).
        """
        return cls(values, influence @ influence.T)

    @classmethod
    def without_patients(cls, values: Floats) -> Scores:
        """Where nothing is known of records: the same patients every time."""
        return cls(values, np.zeros((len(values), len(values))))

    def arm(self, cells: Sequence[int]) -> Arm:
        """Cells in the order of those that they are paired with."""
        return Arm(self, ((1, np.array(cells)),))


@dataclass(frozen=True, eq=False)
class Arm:
    """Replicates of one arm of a comparison, or differences of several arms, replicate
    by replicate.

    Attributes
    ----------
    scores
        Where all arms of a comparison come from.
    terms
        Signs, and positions of cells, shape (trainings,): what is added up.
    averaging
        What trainings weigh in each replicate, shape (replicates, trainings); None:
        each is one.
    """

    scores: Scores
    terms: tuple[tuple[int, NDArray[np.int_]], ...]
    averaging: Floats | None = None

    def __len__(self) -> int:
        """The number of replicates."""
        return len(self.values)

    @cached_property
    def values(self) -> Floats:
        """Shape (replicates,)."""
        found = [sign * self.scores.values[cells] for sign, cells in self.terms]
        total: Floats = np.sum(found, axis=0)
        return total if self.averaging is None else self.averaging @ total

    def minus(self, other: Arm) -> Arm:
        """The difference, replicate by replicate."""
        negated = tuple((-sign, cells) for sign, cells in other.terms)
        return Arm(self.scores, (*self.terms, *negated), self.averaging)

    def averaged(self, blocks: Sequence[str]) -> Arm:
        """The same with the mean of each block's trainings as a replicate: those that
        share more than the test patients, as a split, aren't independent.

        Parameters
        ----------
        blocks
            To which each training belongs.
        """
        names = sorted(set(blocks))
        members = np.array([[name == block for block in blocks] for name in names])
        averaging = members / members.sum(axis=1, keepdims=True)
        return Arm(self.scores, self.terms, averaging)

    def covariance(self, other: Arm) -> Floats:
        """Of its replicates with those of another arm, for what the sampling of
        patients does to them; shape (replicates, the other's replicates).
        """
        table = self.scores.covariance
        parts = [
            one * two * table[rows[:, None], columns]
            for one, rows in self.terms
            for two, columns in other.terms
        ]
        total: Floats = np.sum(parts, axis=0)
        if self.averaging is not None:
            total = self.averaging @ total
        return total if other.averaging is None else total @ other.averaging.T
