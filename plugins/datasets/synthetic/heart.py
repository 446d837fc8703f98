"""The heart dipole of one beat as a sum of Gaussian waves, and what findings change.

Vectors are in mV in Frank's axes: x to the left, y to the feet, z to the back. Times
and widths (standard deviations) are in s, relative to the R peak at 60 beats a minute.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from collections.abc import Callable

Vector = np.ndarray


@dataclass(frozen=True)
class Wave:
    """A Gaussian in time along a direction.

    `recovery` marks waves of repolarisation: their time and width go with the square
    root of the RR interval (Bazett), those of the others are fixed.
    """

    time: float
    width: float
    vector: Vector
    recovery: bool = False

    def scaled(self, factor: float) -> Wave:
        """The same wave with another amplitude."""
        return replace(self, vector=self.vector * factor)


Heart = dict[str, Wave]


def normal_heart() -> Heart:
    """The mean normal beat: rS in V1 to R in V6, axis near 60 degrees, upright T."""

    def wave(time: float, width: float, *vector: float, recovery: bool = False) -> Wave:
        return Wave(time, width, np.array(vector), recovery)

    return {
        "P right": wave(-0.165, 0.018, 0.03, 0.07, -0.03),
        "P left": wave(-0.140, 0.020, 0.05, 0.07, 0.03),
        "Q": wave(-0.026, 0.009, -0.12, -0.04, -0.20),
        "R": wave(0.000, 0.011, 1.15, 0.95, 0.20),
        "S": wave(0.024, 0.011, -0.15, -0.10, 0.55),
        "ST": wave(0.130, 0.045, 0.02, 0.02, -0.02, recovery=True),
        "T onset": wave(0.255, 0.050, 0.14, 0.11, -0.09, recovery=True),
        "T peak": wave(0.300, 0.032, 0.17, 0.13, -0.11, recovery=True),
    }


SPREAD = {"P": 0.01, "Q": 0.06, "R": 0.18, "S": 0.12, "ST": 0.02, "T": 0.05}
"""Standard deviation of each wave's vector among healthy people, mV along each axis."""


def individual(heart: Heart, rng: np.random.Generator) -> Heart:
    """A person's own heart: position, voltage, PR and QRS duration, T waves."""
    turn = _rotation(rng.normal(0, np.radians([12, 12, 18])))
    voltage = np.exp(rng.normal(0, 0.22))
    pr, qrs = abs(rng.normal(0, 0.02)), np.exp(rng.normal(0, 0.09))
    t_wave = np.exp(rng.normal(0, 0.35))

    def own(name: str, wave: Wave) -> Wave:
        kind = name.split()[0]
        vector = turn @ (wave.vector * voltage + rng.normal(0, SPREAD[kind], 3))
        if kind == "P":
            return replace(wave, vector=vector, time=wave.time - pr)
        if kind == "T":
            return replace(wave, vector=vector * t_wave)
        if kind == "ST":
            return replace(wave, vector=vector)
        return Wave(wave.time * qrs, wave.width * qrs, vector)

    return {name: own(name, wave) for name, wave in heart.items()}


def infarction(heart: Heart, effect: float, rng: np.random.Generator) -> Heart:
    """Q waves and ST elevation over one territory; T waves invert as it ages."""
    towards = np.array(
        [
            [0.45, 0.05, -0.95],  # anterior
            [-0.10, 1.00, 0.05],  # inferior
            [0.95, -0.30, 0.20],  # lateral
        ]
    )[rng.integers(3)]
    age = rng.random()
    necrosis = -towards * effect * (0.35 + 0.25 * age)
    injury = towards * effect * 0.28 * (1 - 0.7 * age)
    inversion = -towards * effect * 0.5 * age
    return heart | {
        "Q": replace(
            heart["Q"],
            vector=heart["Q"].vector * (1 - 0.6 * min(effect, 1)) + necrosis,
            width=heart["Q"].width * (1 + 0.45 * effect),
        ),
        "R": replace(heart["R"], vector=heart["R"].vector + 0.5 * necrosis),
        "ST": replace(heart["ST"], vector=heart["ST"].vector + injury),
        "T peak": replace(heart["T peak"], vector=heart["T peak"].vector + inversion),
    }


def st_t_change(heart: Heart, effect: float, rng: np.random.Generator) -> Heart:
    """ST depression against the main vector and flat to inverted T waves."""
    depression = rng.uniform(0.05, 0.16) * effect
    towards = np.array([0.8, 0.5, -0.5]) + rng.normal(0, 0.15, 3)
    flattening = 1 - effect * rng.uniform(1.0, 2.0)
    return heart | {
        "ST": replace(heart["ST"], vector=heart["ST"].vector - depression * towards),
        "T onset": heart["T onset"].scaled(flattening),
        "T peak": heart["T peak"].scaled(flattening),
    }


def bundle_branch_block(heart: Heart, effect: float, rng: np.random.Generator) -> Heart:
    """A late, slow QRS vector to the left (LBBB) or to the right and front (RBBB)."""
    if rng.random() < 0.5:
        late = Wave(0.055, 0.020, effect * np.array([0.75, 0.15, 0.55]))
        return heart | {
            "Q": heart["Q"].scaled(1 - min(effect, 1)),
            "R": replace(heart["R"], width=heart["R"].width * (1 + 0.5 * effect)),
            "LBBB": late,
            "ST": replace(heart["ST"], vector=heart["ST"].vector - 0.14 * late.vector),
            "T peak": replace(
                heart["T peak"], vector=heart["T peak"].vector - 0.45 * late.vector
            ),
        }
    late = Wave(0.060, 0.017, effect * np.array([-0.50, 0.02, -0.60]))
    return heart | {
        "S": heart["S"].scaled(1 - 0.4 * min(effect, 1)),
        "RBBB": late,
        "T peak": replace(
            heart["T peak"], vector=heart["T peak"].vector - 0.25 * late.vector
        ),
    }


def hypertrophy(heart: Heart, effect: float, rng: np.random.Generator) -> Heart:
    """High voltage to the left and back, a slightly slower QRS, and strain."""
    growth = effect * rng.uniform(0.7, 1.1)
    left_and_back = np.array([0.75, -0.20, 0.45]) * growth
    strain = np.array([0.30, 0.04, 0.05]) * effect * rng.uniform(0.4, 1.2)
    return heart | {
        "R": replace(
            heart["R"],
            vector=heart["R"].vector * (1 + 0.25 * growth) + left_and_back,
            width=heart["R"].width * (1 + 0.15 * effect),
        ),
        "S": heart["S"].scaled(1 + 0.6 * growth),
        "P left": heart["P left"].scaled(1 + 0.5 * effect),
        "ST": replace(heart["ST"], vector=heart["ST"].vector - 0.3 * strain),
        "T onset": replace(
            heart["T onset"], vector=heart["T onset"].vector - 0.4 * strain
        ),
        "T peak": replace(heart["T peak"], vector=heart["T peak"].vector - strain),
    }


CHANGES: dict[str, Callable[[Heart, float, np.random.Generator], Heart]] = {
    "MI": infarction,
    "STTC": st_t_change,
    "CD": bundle_branch_block,
    "HYP": hypertrophy,
}


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Turns about x, y and z (radians), as one matrix."""
    return Rotation.from_euler("xyz", angles).as_matrix()
