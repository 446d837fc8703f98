"""How much each round prunes, and how many rounds that takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from harness import ConfigError

Primitive = Literal["exact", "published"]

MOST_ROUNDS = 10_000
"""Beyond it a target counts as out of reach."""

_DIGITS = 6
"""To which share x weights is rounded: 7 % of 100 weights are 7, not 7.0000000000001.
"""


def fixed(share: float) -> Iterator[float]:
    """The same share of the remaining weights in each round."""
    while True:
        yield share


def lth_ecg(share: float, alpha: float, lowest: float = 0.0) -> Iterator[float]:
    """Shares that shrink by p <- p^(1/alpha), with p in percent (Sahu et al. 2022).

    The rule depends on the unit: it tends to 1 percent, never to 0. Of a share below
    1 percent, or in fractions, it would make a larger one.

    Parameters
    ----------
    share
        Of the first round, as a fraction of the remaining weights.
    alpha
        More than 1.
    lowest
        A share below which no round goes.
    """
    percent = 100 * share
    while True:
        yield max(percent / 100, lowest)
        percent **= 1 / alpha


def removals(weights: int, share: float, primitive: Primitive = "exact") -> int:
    """How many of the remaining weights a round removes, where no two are equal.

    `exact`: the share, rounded up. `published`: one more, for it keeps what is
    strictly above the k-th of the sorted magnitudes, counted from 0. One weight is
    left in any case.
    """
    asked_for = math.ceil(round(share * weights, _DIGITS))
    return max(0, min(asked_for + (primitive == "published"), weights - 1))


def remaining_after(
    layers: Sequence[int], shares: Iterable[float], primitive: Primitive = "exact"
) -> Iterator[int]:
    """Weights left after each round.

    Parameters
    ----------
    layers
        Weights of each layer that is pruned for itself; one number where all layers
        share a threshold.
    """
    left = list(layers)
    for share in shares:
        left = [n - removals(n, share, primitive) for n in left]
        yield sum(left)


def rounds_to(
    reduction: float,
    layers: Sequence[int],
    shares: Iterable[float],
    primitive: Primitive = "exact",
) -> int:
    """Prunings up to the first after which weights / remaining reaches `reduction`.

    Raises
    ------
    ConfigError
        If the shares never get there.
    """
    total, left = sum(layers), sum(layers)
    counts = remaining_after(layers, shares, primitive)
    for number, left in zip(range(1, MOST_ROUNDS + 1), counts, strict=False):
        if total >= reduction * left:
            return number
    raise ConfigError(
        f"lottery-ticket: reduction_factor = {reduction:g} is out of reach: of "
        f"{total:,} weights, {left:,} would be left after {MOST_ROUNDS:,} rounds"
    )
