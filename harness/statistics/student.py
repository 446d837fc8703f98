"""Student's t distribution, for any number of degrees of freedom."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

NORMAL_95 = 1.959963984540054
_ALMOST_NORMAL = 1e4
_PRECISE = 1e-13
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


@lru_cache(maxsize=1024)
def student_95(degrees: float) -> float:
    """The t that |T| exceeds with a probability of 5 %.

    Parameters
    ----------
    degrees
        Degrees of freedom, at least 1, whole or not.
    """
    if degrees >= _ALMOST_NORMAL:
        # Abramowitz & Stegun (1964), 26.7.5: the next term is below 1e-11.
        z = NORMAL_95
        second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
        return z + (z**3 + z) / 4 / degrees + second / degrees**2
    # P(|T| <= t) is the integral of cos ** (degrees - 1) from 0 to the angle of which
    # t is sqrt(degrees) * tan(angle), over that to pi / 2.
    log_whole = math.lgamma(degrees / 2) - math.lgamma((degrees + 1) / 2)
    target = 0.95 * math.sqrt(math.pi) / 2 * math.exp(log_whole)
    angle = math.atan(NORMAL_95 / math.sqrt(degrees))
    # Newton's steps from below a root of what is concave don't go beyond it.
    while (step := _missing(angle, degrees, target)) > _PRECISE * angle:
        angle += step
    return math.sqrt(degrees) * math.tan(angle)


def _missing(angle: float, degrees: float, target: float) -> float:
    """How much further the angle must go, by the slope there."""
    half = angle / 2
    values = np.cos(half * (_NODES + 1)) ** (degrees - 1)
    integral = half * float(_WEIGHTS @ values)
    slope: float = math.cos(angle) ** (degrees - 1)
    return (target - integral) / slope
