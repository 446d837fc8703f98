"""Age and sex as numbers that a network can take, known or not.

After Han et al. 2021, CinC 2021 #80, and Han et al. 2023, Physiol. Meas. 44(5) 054003:
what is unknown has a fixed value in its place, and a flag beside it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SIDE_FEATURES = ("age", "female", "male", "age missing", "sex missing")
"""What the columns of `side_features` hold."""

YEARS = 100.0
"""Age is in units of that many years."""
UNKNOWN_AGE = 0.6037
"""In those units; like the two below, as the authors' preprocessing fills it in."""
UNKNOWN_FEMALE = 0.4714
UNKNOWN_MALE = 0.5286


def side_features(side: Mapping[str, Tensor]) -> Tensor | None:
    """Age and sex in the order of `SIDE_FEATURES`: finite, float32, shape (batch, 5).

    Parameters
    ----------
    side
        `age` in years and `sex` (0 male, 1 female), one of them or both, shape (batch,)
        each, NaN where unknown. All of one that isn't there is unknown.

    Returns
    -------
    Tensor or None
        None where neither is there.
    """
    known = [side[name] for name in ("age", "sex") if name in side]
    if not known:
        return None
    unknown = torch.full_like(known[0], torch.nan)
    age, sex = side.get("age", unknown), side.get("sex", unknown)
    no_age, no_sex = age.isnan(), sex.isnan()
    columns = (
        (age / YEARS).masked_fill(no_age, UNKNOWN_AGE),
        sex.masked_fill(no_sex, UNKNOWN_FEMALE),
        (1 - sex).masked_fill(no_sex, UNKNOWN_MALE),
        no_age,
        no_sex,
    )
    return torch.stack([column.float() for column in columns], dim=1)
