"""From figures to places in a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import LogLocator, MaxNLocator

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Scale:
    """An axis: its ends, where they lie in the chart, and the ticks between them."""

    low: float
    high: float
    start: float
    stop: float
    ticks: Sequence[float]
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value, rounded to what can be seen."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = (math.log10(v) for v in (value, low, high))
        share = (value - low) / (high - low)
        return round(self.start + share * (self.stop - self.start), 2)


def linear_scale(
    values: Sequence[float],
    start: float,
    stop: float,
    *,
    from_zero: bool = False,
    whole: bool = False,
) -> Scale:
    """An axis that holds all values, with a margin.

    Parameters
    ----------
    from_zero
        Begin at 0, without a margin there.
    whole
        Ticks at whole numbers only.
    """
    low, high = (0.0 if from_zero else min(values)), max(values)
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    low, high = (low if from_zero else low - margin), high + margin
    locator = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=whole)
    return Scale(
        low, high, start, stop, _within(locator.tick_values(low, high), low, high)
    )


def logarithmic_scale(values: Sequence[float], start: float, stop: float) -> Scale:
    """An axis of values above 0 that are far apart."""
    low, high = min(values) / 1.3, max(values) * 1.3
    ticks = LogLocator(subs=(1.0, 2.0, 5.0)).tick_values(low, high)
    return Scale(low, high, start, stop, _within(ticks, low, high), logarithmic=True)


def _within(ticks: Sequence[float], low: float, high: float) -> list[float]:
    slack = _ROUNDING * (high - low)
    return [float(t) for t in ticks if low - slack <= t <= high + slack]
