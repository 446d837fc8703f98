"""Means over paired replicates, with intervals that hold training and test patients.

A replicate is a training with its own seed, and its own split where that varies. Its
score differs from what the strategy is worth for two reasons: how the training fell
out, and which patients are in the test set; and the latter it shares with all
replicates that are tested on those patients. Resampling replicates and patients
together and taking percentiles counts the patients' part twice where it differs from
replicate to replicate, and makes three or five trainings look as sure as many: in
simulations such intervals cover anything from 78 to 100 %. So patients are
resampled, and the spread of the replicates is taken as it was found, with Student's t
for their small number: the variance of the mean over R replicates is

    s^2 / R + c,

s^2 being the variance between replicates, which holds all that is a replicate's own,
and c what the sampling of patients makes common to two of them: the covariance of
their scores over the draws. It has (s^2 / R + c)^2 / ((s^2 / R)^2 / (R - 1)) degrees
of freedom. This is the analysis of several readers of the same cases (Obuchowski &
Rockette 1995; degrees of freedom by Hillis 2007), with trainings for readers.

Of three or five trainings both s^2 and c are rough, and by chance small together. So no
interval is narrower than that of either source of chance alone: Student's with s^2 / R
and R - 1 degrees of freedom, and the normal one of the mean over other patients, the
trainings being the same.

Student's t distribution, for any number of degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.statistics.scores import Arm

Floats = NDArray[np.float64]

_NORMAL_80 = 0.8416212335729143
"""Below which a normal variable lies with a probability of 80 %."""
_FURTHEST = 1e6
_BISECTIONS = 40


@dataclass(frozen=True)
class Estimate:
    """A mean over replicates; its 95 % interval is mean +- reach.

    Attributes
    ----------
    reach
        None for one replicate, of which it can't be known how another would turn out.
    patients_error
        Its standard error were other patients in the test set, the trainings being the
        same.
    """

    mean: float
    reach: float | None
    patients_error: float

    @property
    def is_measurable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.reach is not None and abs(self.mean) > self.reach

    @property
    def smallest_shown(self) -> float:
        """How far from 0 the mean must be for so many patients to show it in 80 % of
        studies at a level of 5 %, were the trainings no source of chance.
        """
        return (NORMAL_95 + _NORMAL_80) * self.patients_error


def estimate(arm: Arm) -> Estimate:
    """The mean of the scores, or of paired differences, with its 95 % interval."""
    mean = float(arm.values.mean())
    if len(arm) == 1:
        return Estimate(mean, None, _root(float(arm.covariance(arm)[0, 0])))
    variances = _variances(arm)
    return Estimate(mean, variances.reach, _root(variances.patients))


def estimate_apart(ours: Arm, theirs: Arm) -> Estimate:
    """The mean of one arm minus that of another whose replicates are others.

    Nothing pairs the trainings, so that the spread of both arms counts, with the
    degrees of freedom of Welch (1947); patients are shared, and what their sampling
    makes common to all of both arms cancels out.
    """
    mean = float(ours.values.mean() - theirs.values.mean())
    arms = (ours, theirs)
    sizes = [len(arm) for arm in arms]
    across = float(ours.covariance(theirs).mean())
    alone = sum(float(arm.covariance(arm).mean()) for arm in arms)
    patients_error = _root(alone - 2 * across)
    if min(sizes) == 1:
        return Estimate(mean, None, patients_error)
    parts = [_variances(arm) for arm in arms]
    found = _Variances(
        own=tuple(part.own[0] for part in parts),
        sizes=tuple(sizes),
        shared=sum(part.shared for part in parts) - 2 * across,
        patients=patients_error**2,
    )
    return Estimate(mean, found.reach, patients_error)


def share_of_gap_closed(
    taught: Arm, untaught: Arm, teacher: Arm
) -> tuple[float, float, float] | None:
    """(taught - untaught) / (teacher - untaught), with the ends of its 95 % interval.

    The interval holds every share q for which the mean of (taught - untaught) - q
    (teacher - untaught) isn't measurably apart from 0 (Fieller 1954).

    Returns
    -------
    tuple or None
        Share, low, high, of the means over replicates; None where the teacher isn't
        measurably above the untaught, so that there is no gap to close.
    """
    gain, gap = taught.minus(untaught), teacher.minus(untaught)
    above = estimate(gap)
    if not above.is_measurable or above.mean <= 0:
        return None
    mean = float(gain.values.mean())
    share = mean / above.mean

    own, cross, other = (
        gain.covariance(gain),
        gain.covariance(gap),
        gap.covariance(gap),
    )

    def excludes(q: float) -> bool:
        covariance = own - q * (cross + cross.T) + q**2 * other
        rest = _variances_of(gain.values - q * gap.values, covariance)
        return abs(mean - q * above.mean) > rest.reach

    ends = [_boundary(excludes, share, side) for side in (-1.0, 1.0)]
    if math.inf in ends or -math.inf in ends:
        return None
    return share, ends[0], ends[1]


@dataclass(frozen=True)
class _Variances:
    """Of a sum of independent means, of `sizes` replicates each.

    Attributes
    ----------
    own
        Between replicates, of each mean.
    shared
        What the sampling of patients makes common to all replicates.
    patients
        Of the sum, were other patients in the test set, the trainings being the same.
    """

    own: tuple[float, ...]
    sizes: tuple[int, ...]
    shared: float
    patients: float

    @property
    def reach(self) -> float:
        """Half of the 95 % interval."""
        both = self._reach(max(self.shared, 0.0))
        return max(both, self._reach(0.0), NORMAL_95 * _root(self.patients))

    def _reach(self, shared: float) -> float:
        own = [max(b, 0.0) / n for b, n in zip(self.own, self.sizes, strict=True)]
        variance = sum(own) + shared
        if variance <= 0:
            return 0.0
        pairs = zip(own, self.sizes, strict=True)
        unsure = sum(part**2 / (n - 1) for part, n in pairs)
        degrees = math.inf if unsure <= 0 else variance**2 / unsure
        return student_95(degrees) * math.sqrt(variance)


def _variances(arm: Arm) -> _Variances:
    return _variances_of(arm.values, arm.covariance(arm))


def _variances_of(values: Floats, covariance: Floats) -> _Variances:
    """Of the mean over replicates: their values, and what the sampling of patients does
    to them.
    """
    replicates = len(values)
    whole = float(covariance.sum())
    apart = whole - float(covariance.trace())
    mean = float(values.sum()) / replicates
    squares = float(((values - mean) ** 2).sum())
    return _Variances(
        own=(squares / (replicates - 1),),
        sizes=(replicates,),
        shared=apart / (replicates * (replicates - 1)),
        patients=whole / replicates**2,
    )


def _root(variance: float) -> float:
    """Estimated as a difference, a variance may come out below 0, which none is."""
    return math.sqrt(max(variance, 0.0))


def _boundary(excludes: Callable[[float], bool], inside: float, side: float) -> float:
    """Where an interval that holds `inside` ends on one side; infinite if it's not
    before a million.
    """
    step = 1.0
    while not excludes(inside + side * step):
        step *= 2
        if step > _FURTHEST:
            return side * math.inf
    held, outside = 0.0, step
    for _ in range(_BISECTIONS):
        middle = (held + outside) / 2
        if excludes(inside + side * middle):
            outside = middle
        else:
            held = middle
    return inside + side * held


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
