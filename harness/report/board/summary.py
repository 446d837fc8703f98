"""Figures of several seeds, put together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.board.parts import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def summarise(values: Iterable[float | None], *, ranged: bool = True) -> Summary | None:
    """Mean, spread and count over the seeds that have a value; None where none has.

    Parameters
    ----------
    ranged
        Whether the least and the most are kept, too.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    least, most = min(known), max(known)
    # Of equal values rounding would make a spread.
    mean = least if least == most else math.fsum(known) / len(known)
    spread = _spread(known, mean) if len(known) > 1 else None
    if not ranged:
        return Summary(mean=mean, spread=spread, n=len(known))
    return Summary(mean=mean, spread=spread, min=least, max=most, n=len(known))


def _spread(values: Sequence[float], mean: float) -> float:
    # Far faster than statistics.stdev, of which a large suite needs ten thousand.
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1))
