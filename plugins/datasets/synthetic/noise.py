"""What electrodes pick up beside the heart."""

from __future__ import annotations

import numpy as np

MAINS = 50.0
"""Hz."""


def noise(
    times: np.ndarray, leads: int, difficulty: float, rng: np.random.Generator
) -> np.ndarray:
    """Baseline wander, muscle and mains noise, shape (leads, samples), mV.

    The standard level at difficulty 0.5, a fifth of it at 0, 1.8 times it at 1; each
    record has its own besides.
    """
    level = (0.2 + 1.6 * difficulty) * np.exp(rng.normal(0, 0.4))
    total = wander(times, leads, rng) + muscle(times, leads, rng)
    # At twice the mains' frequency and below, a recorder would have filtered it out.
    if 1 / (times[1] - times[0]) > 2 * MAINS:
        total += mains(times, leads, rng)
    return level * total


def wander(times: np.ndarray, leads: int, rng: np.random.Generator) -> np.ndarray:
    """Breathing and moving electrodes: three slow sines a lead, 0.05-0.6 Hz."""
    frequency, phase = rng.uniform(0.05, 0.6, 3), rng.random((leads, 3))
    amplitude = rng.normal(0, 0.06, (leads, 3))
    angle = 2 * np.pi * (frequency * times[:, None] + phase[:, None])
    return np.einsum("ls,lts->lt", amplitude, np.sin(angle))


def muscle(times: np.ndarray, leads: int, rng: np.random.Generator) -> np.ndarray:
    """White noise, stronger in some leads."""
    strength = 0.03 * np.exp(rng.normal(0, 0.3, (leads, 1)))
    return strength * rng.normal(size=(leads, len(times)))


def mains(times: np.ndarray, leads: int, rng: np.random.Generator) -> np.ndarray:
    """One sine at the mains' frequency, in phase on all leads."""
    strength = 0.01 * rng.random((leads, 1))
    return strength * np.sin(2 * np.pi * (MAINS * times + rng.random()))
