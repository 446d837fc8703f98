"""Figures of several seeds, put together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def summarise(values: Iterable[float | None]) -> dict[str, Any] | None:
    """Mean, spread and range over the seeds that have a value; None where none has.

    Returns
    -------
    dict
        `mean`; `spread`, the sample standard deviation (n - 1), None for one value;
        `min`, `max`; `n`, how many values there are.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    least, most = min(known), max(known)
    # Of equal values rounding would make a spread.
    mean = least if least == most else math.fsum(known) / len(known)
    return {
        "mean": mean,
        "spread": _spread(known, mean) if len(known) > 1 else None,
        "min": least,
        "max": most,
        "n": len(known),
    }


def _spread(values: Sequence[float], mean: float) -> float:
    # Far faster than statistics.stdev, of which a large suite needs ten thousand.
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1))
