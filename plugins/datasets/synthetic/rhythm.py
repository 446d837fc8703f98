"""When the heart beats, and what the atria do when they fibrillate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Beats:
    """R peaks of a record and of the seconds round it.

    Attributes
    ----------
    peaks
        Times of the R peaks, s.
    rr
        The interval before each, s.
    strength
        Each beat's amplitude, about 1: it goes with breathing.
    """

    peaks: np.ndarray
    rr: np.ndarray
    strength: np.ndarray


def sinus(seconds: float, rate: float, rng: np.random.Generator) -> Beats:
    """Sinus rhythm near `rate` beats a minute, with respiratory arrhythmia."""
    mean = 60 / np.clip(rate + rng.normal(0, 5), 45, 120)
    count = _beats_in(seconds, mean)
    breathing = np.sin(2 * np.pi * (0.25 * mean * np.arange(count) + rng.random()))
    rr = mean * (1 + 0.03 * breathing + rng.normal(0, 0.012, count))
    return _from_intervals(rr, rng)


def fibrillating(seconds: float, rng: np.random.Generator) -> Beats:
    """AF: independent intervals with a coefficient of variation near 0.22."""
    mean = 60 / rng.uniform(70, 130)
    rr = mean * np.exp(rng.normal(0, 0.22, _beats_in(seconds, mean)))
    return _from_intervals(np.maximum(rr, 0.3), rng)


def fibrillation_waves(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The fibrillating atria's dipole, shape (3, samples), mV: 4-9 Hz, most in V1."""
    frequency = rng.uniform(4, 9)
    drift = 0.6 * np.sin(2 * np.pi * (rng.uniform(0.1, 0.4) * times + rng.random()))
    phase = 2 * np.pi * (frequency * times + rng.random()) + drift
    wave = np.sin(phase) + 0.4 * np.sin(2 * phase)
    return np.outer(rng.uniform(0.4, 1.0) * np.array([-0.02, 0.05, -0.07]), wave)


def _beats_in(seconds: float, mean: float) -> int:
    """Enough for the record and two seconds on each side, however short they come."""
    return int(1.6 * (seconds + 4) / mean) + 4


def _from_intervals(rr: np.ndarray, rng: np.random.Generator) -> Beats:
    """Beats that start up to an interval, and at least 2 s, before the record does."""
    peaks = np.cumsum(rr) - 2 - rr[0] * (1 + rng.random())
    strength = 1 + 0.05 * np.sin(2 * np.pi * (0.25 * peaks + rng.random()))
    return Beats(peaks, rr, strength)
