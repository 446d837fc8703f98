"""What a row costs on either side: counted, never timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from harness.report.analysis.comparisons import DIGITS
from harness.report.diff.noise import Difference, compared_seeds, difference

Verdict = Literal["same", "lower", "higher", "within noise", "too few seeds"]

COUNTERS = ("effective_epochs", "forward_epochs", "training_flops")
"""What is counted one by one, and is the same again where the same is done."""
COSTS = (*COUNTERS, "peak_memory_bytes")


@dataclass(frozen=True)
class CostChange:
    """A cost of BASE and of HEAD: means over the seeds that were compared.

    Attributes
    ----------
    ratio
        HEAD over BASE; None where BASE costs nothing.
    exact
        Whether it's a counter that doesn't depend on what was learnt: the same in all
        seeds of each side, so that any change of it is one of the method.
    """

    base: float
    head: float
    ratio: float | None
    exact: bool
    verdict: Verdict


def cost_change(
    name: str, base: Mapping[int, float], head: Mapping[int, float], tolerance: float
) -> CostChange | None:
    """Of a cost by seed; None where a side has none.

    Parameters
    ----------
    tolerance
        Share of BASE that one must differ by, where the cost isn't exact. It must
        then also differ by more than the seeds' noise, if there are enough of them.
    """
    if name in COUNTERS and _constant(base) and _constant(head):
        before, after = next(iter(base.values())), next(iter(head.values()))
        verdict = "same" if before == after else _direction(after - before)
        return CostChange(before, after, _ratio(before, after), True, verdict)
    # Of millions and of billions, so that one limit of what is the same fits both.
    largest = max([*base.values(), *head.values()], default=0.0) or 1.0
    found = difference(
        {seed: value / largest for seed, value in base.items()},
        {seed: value / largest for seed, value in head.items()},
    )
    if found is None:
        return None
    theirs, ours = compared_seeds(base, head)
    before = fmean(base[seed] for seed in theirs)
    after = fmean(head[seed] for seed in ours)
    verdict = _judged(found, tolerance)
    return CostChange(before, after, _ratio(before, after), False, verdict)


def _judged(found: Difference, tolerance: float) -> Verdict:
    if found.verdict == "same":
        return "same"
    if found.verdict == "within noise" or abs(found.change) <= tolerance * found.base:
        return "within noise"
    # The same seeds have the same start, so that little but the code tells them apart.
    if found.verdict == "too few seeds" and not found.paired:
        return "too few seeds"
    return _direction(found.change)


def _direction(change: float) -> Verdict:
    return "higher" if change > 0 else "lower"


def _constant(values: Mapping[int, float]) -> bool:
    """Whether it's known to be the same in every seed."""
    return len(values) > 1 and len(set(values.values())) == 1


def _ratio(base: float, head: float) -> float | None:
    return round(head / base, DIGITS) if base else None
