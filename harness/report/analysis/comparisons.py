"""Rows against others, replicate by replicate: by how much, how sure, which verdict."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, get_args

import numpy as np

from harness.report.analysis.scored_cells import (
    MACRO_F1,
    SEEDS,
    SEEDS_AND_RECORDS,
    TUNED,
)
from harness.report.board.parts import Comparison, ControlComparison, Gain, Verdict
from harness.report.board.summary import summarise
from harness.statistics import Scores, estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.report.analysis.scored_cells import ScoredCells
    from harness.report.read import CellResult
    from harness.statistics import Arm, Estimate

    Pairs = Sequence[tuple[CellResult, CellResult]]

FEWEST_SEEDS = 3
FEWEST_PATIENTS = 30
"""In the test split: with fewer, intervals hold their patients too rarely."""
WORTH_SHOWING = 0.1
"""A difference in macro-F1 that a test split must be able to show before nothing was
found on it says something."""
BETTER: Verdict = "better"
WORSE: Verdict = "worse"
NO_DIFFERENCE: Verdict = "no measurable difference"
TOO_FEW_SEEDS: Verdict = "too few seeds"
TOO_FEW_RECORDS: Verdict = "too few records"
UNMEASURED: Verdict = "not measured"
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
ALSO_COMPARED = (
    *(TUNED, "accuracy", "exact_match", "label_accuracy", "macro_auroc"),
    *("mean_average_precision", "calibration_error"),
)
"""Figures whose differences are told beside that of macro-F1, which has the verdict."""

DIGITS = 6
"""Of the ends of intervals: what is the same on every machine."""


def compare(
    pairs: Pairs, scored: Mapping[str, ScoredCells], planned: int | None = None
) -> Comparison:
    """The first cell of each pair minus the second, on the test split.

    Parameters
    ----------
    pairs
        Pairs of the same seed and split.
    scored
        What knows the records of a cell, by the cell's id; a pair that it doesn't know,
        or that was judged on two sets of records, is left out. Empty: pairs are taken
        without records.
    planned
        How many pairs there should be; None: all are there.
    """
    found = _Compared.of(pairs, scored)
    count = len(pairs) if planned is None else planned
    if found is None:
        return _unmeasured(count)
    known = found.known
    gain = gain_of(found.gain, found.estimate)
    return Comparison(
        difference=gain.difference,
        low=gain.low,
        high=gain.high,
        holds=SEEDS_AND_RECORDS if known else SEEDS,
        smallest_shown=(
            round(found.estimate.smallest_shown, DIGITS) if known else None
        ),
        ahead=int((found.gain.values > 0).sum()),
        pairs=count,
        verdict=found.verdict,
        others=_others(found, known) if known else {},
    )


def _unmeasured(pairs: int) -> Comparison:
    return Comparison(
        difference=None,
        low=None,
        high=None,
        holds=None,
        smallest_shown=None,
        ahead=0,
        pairs=pairs,
        verdict=UNMEASURED,
        others={},
    )


def _others(found: _Compared, known: ScoredCells) -> dict[str, Gain]:
    """The differences of `ALSO_COMPARED`, those that are known."""
    gains = {}
    for figure in ALSO_COMPARED:
        if both := _arms(found.ours, found.theirs, figure, known):
            other = both[0].minus(both[1])
            gains[figure] = gain_of(other, estimate(by_split(other, found.ours)))
    return gains


def verdict_on(pairs: Pairs, scored: Mapping[str, ScoredCells]) -> Verdict:
    """The verdict of `compare` alone."""
    found = _Compared.of(pairs, scored)
    return found.verdict if found else UNMEASURED


@dataclass(frozen=True)
class _Compared:
    """Macro-F1 of the pairs that are done; `known`: what knows their records."""

    ours: Sequence[CellResult]
    theirs: Sequence[CellResult]
    known: ScoredCells | None
    gain: Arm
    replicates: int
    estimate: Estimate

    @classmethod
    def of(cls, pairs: Pairs, scored: Mapping[str, ScoredCells]) -> _Compared | None:
        done = [(a, b) for a, b in pairs if is_scored(a) and is_scored(b)]
        known = None
        if scored:
            known = _knowing(done, scored)
            done = [pair for pair in done if known and known.comparable(pair)]
        if not done:
            return None
        ours, theirs = ([pair[side] for pair in done] for side in (0, 1))
        arms = _arms(ours, theirs, MACRO_F1, known) or arms_of_seeds(ours, theirs)
        gain = arms[0].minus(arms[1])
        averaged = by_split(gain, ours)
        return cls(ours, theirs, known, gain, len(averaged), estimate(averaged))

    @property
    def verdict(self) -> Verdict:
        patients = (
            self.known.patients([*self.ours, *self.theirs]) if self.known else None
        )
        return verdict_of(self.estimate, self.replicates, patients)


def is_scored(cell: CellResult) -> bool:
    """Whether a cell is done and its macro-F1 known."""
    return cell.result is not None and cell.result.metrics.test.macro_f1 is not None


def verdict_of(found: Estimate, pairs: int, patients: int | None) -> Verdict:
    """Which of `VERDICTS` a difference in macro-F1 deserves.

    Parameters
    ----------
    pairs
        Of how many trainings, or splits, it is the mean.
    patients
        Of the test split; None where they aren't known.
    """
    if pairs < FEWEST_SEEDS:
        return TOO_FEW_SEEDS
    if patients is not None and patients < FEWEST_PATIENTS:
        return TOO_FEW_RECORDS
    if found.is_measurable:
        return BETTER if found.mean > 0 else WORSE
    if patients is not None and found.smallest_shown > WORTH_SHOWING:
        return TOO_FEW_RECORDS
    return NO_DIFFERENCE


def compare_with_controls(
    cells: Sequence[CellResult], scored: Mapping[str, ScoredCells]
) -> list[ControlComparison]:
    """Rows beside their controls, paired by seed."""
    by_id = {c.cell.id: c for c in cells}
    pairs: dict[tuple[str, str, str], list[tuple[CellResult, CellResult]]] = {}
    for cell in cells:
        for control in cell.cell.controls:
            if control.of in by_id:
                row = by_id[control.of]
                key = row.cell.strategy, cell.cell.strategy, control.name
                pairs.setdefault(key, []).append((row, cell))
    return [
        ControlComparison(
            strategy=strategy,
            control=label,
            name=name,
            **dict(compare(found, scored)),
        )
        for (strategy, label, name), found in pairs.items()
    ]


def interval(
    found: Estimate, least: float = -1.0, most: float = 1.0
) -> tuple[float | None, float | None]:
    """The ends of a 95 % interval, rounded to what every machine agrees on, and within
    what the figure can be.
    """
    if found.reach is None:
        return None, None
    low, high = found.mean - found.reach, found.mean + found.reach
    return round(max(low, least), DIGITS), round(min(high, most), DIGITS)


def gain_of(gain: Arm, found: Estimate) -> Gain:
    """Paired differences, and what is estimated of them: around the mean of
    `difference` the interval lies.
    """
    low, high = interval(found)
    summary = summarise(gain.values.tolist())
    # Of splits with different numbers of seeds it isn't the mean over trainings.
    centred = summary and summary.model_copy(update={"mean": found.mean})
    return Gain(difference=centred, low=low, high=high)


def by_split(gain: Arm, cells: Sequence[CellResult]) -> Arm:
    """Trainings on the same split averaged, where there are several splits: they share
    the records that they were trained on.

    Parameters
    ----------
    cells
        Those of the trainings, in the same order.
    """
    labels = [cell.cell.dataset for cell in cells]
    return gain.averaged(labels) if len(set(labels)) > 1 else gain


def _knowing(pairs: Pairs, scored: Mapping[str, ScoredCells]) -> ScoredCells | None:
    """What knows the records of the cells: those of a data set are known together."""
    return next(
        (scored[c.cell.id] for p in pairs for c in p if c.cell.id in scored), None
    )


def _arms(
    ours: Sequence[CellResult],
    theirs: Sequence[CellResult],
    figure: str,
    known: ScoredCells | None,
) -> list[Arm] | None:
    if known is None:
        return None
    one, two = known.arm(ours, figure), known.arm(theirs, figure)
    return [one, two] if one and two else None


def arms_of_seeds(*arms: Sequence[CellResult]) -> list[Arm]:
    """Macro-F1 as the results have it, the records taken for given."""
    cells = [cell for arm in arms for cell in arm]
    values = [c.result.metrics.test.macro_f1 if c.result else None for c in cells]
    scores = Scores.without_patients(np.array(values, dtype=np.float64))
    ends = accumulate(len(arm) for arm in arms)
    return [
        scores.arm(range(end - len(arm), end))
        for arm, end in zip(arms, ends, strict=True)
    ]
