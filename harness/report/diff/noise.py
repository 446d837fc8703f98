"""How far a figure moved between two leaderboards, and how much of it is noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.report.comparisons import DIGITS, FEWEST_SEEDS
from harness.statistics import Arm, Scores, estimate, estimate_apart

Verdict = Literal["same", "better", "worse", "within noise", "too few seeds"]
Noise = Literal["seeds and records", "seeds"]
Arms = Callable[[Sequence[int], Sequence[int]], "tuple[Arm, Arm] | None"]
"""Of some seeds of BASE and of HEAD, where it's known what other patients would make of
them; None where that isn't known, or they weren't judged on the same records."""

SAME = 1e-6
"""What is less apart is the same, but for the order in which it was added up."""


@dataclass(frozen=True)
class Difference:
    """HEAD minus BASE of a score; its 95 % interval is change +- reach.

    Attributes
    ----------
    base, head
        Means over the seeds that were compared.
    reach
        None where one seed is all there is.
    seeds
        How many of each side.
    paired
        Whether they are the same seeds, taken pair by pair.
    noise
        What the interval holds: the spread of seeds, and that of test records too.
    """

    base: float
    head: float
    change: float
    reach: float | None
    seeds: tuple[int, int]
    paired: bool
    noise: Noise
    verdict: Verdict


def difference(
    base: Mapping[int, float], head: Mapping[int, float], arms: Arms | None = None
) -> Difference | None:
    """Of a score by seed; None where a side has none."""
    if not base or not head:
        return None
    theirs, ours = compared_seeds(base, head)
    paired = theirs == ours
    found = arms(theirs, ours) if arms else None
    noise: Noise = "seeds and records" if found else "seeds"
    before, after = found or _of_seeds(
        [base[seed] for seed in theirs], [head[seed] for seed in ours]
    )
    result = estimate(after.minus(before)) if paired else estimate_apart(after, before)
    same = paired and bool(np.all(np.abs(after.values - before.values) < SAME))
    few = min(len(ours), len(theirs)) < FEWEST_SEEDS
    reach = None if result.reach is None else round(result.reach, DIGITS)
    return Difference(
        base=round(float(before.values.mean()), DIGITS),
        head=round(float(after.values.mean()), DIGITS),
        change=round(result.mean, DIGITS),
        reach=reach,
        seeds=(len(theirs), len(ours)),
        paired=paired,
        noise=noise,
        verdict="same" if same else _verdict(result.mean, result.reach, few=few),
    )


def compared_seeds(
    base: Mapping[int, float], head: Mapping[int, float]
) -> tuple[list[int], list[int]]:
    """Which seeds of each side are compared: the same ones, pair by pair, if they are
    all or enough; otherwise all, as independent trainings.
    """
    common = sorted(base.keys() & head.keys())
    if base.keys() == head.keys() or len(common) >= FEWEST_SEEDS:
        return common, common
    return sorted(base), sorted(head)


def _of_seeds(before: list[float], after: list[float]) -> tuple[Arm, Arm]:
    scores = Scores.without_patients(np.array([*before, *after], dtype=np.float64))
    ends = len(before), len(scores.values)
    return scores.arm(range(ends[0])), scores.arm(range(*ends))


def _verdict(change: float, reach: float | None, *, few: bool) -> Verdict:
    if abs(change) < SAME:
        return "same"
    if few or reach is None:
        return "too few seeds"
    if abs(change) <= reach:
        return "within noise"
    return "better" if change > 0 else "worse"
