"""Figures of several seeds, put together."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    return {
        "mean": fmean(known),
        "spread": stdev(known) if len(known) > 1 else None,
        "min": min(known),
        "max": max(known),
        "n": len(known),
    }
