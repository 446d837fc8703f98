"""One record: beats in a rhythm, projected on the leads, with noise, as WFDB files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import wfdb

from harness import generator

from .heart import CHANGES, Heart, individual, normal_heart
from .noise import noise
from .rhythm import Beats, fibrillating, fibrillation_waves, sinus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from . import Synthetic
    from .population import Patient

# Leads I, II, V1-V6 from X, Y, Z (Dower et al. 1980, doi
# 10.1016/S0022-0736(80)80047-0).
DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
UNITS_PER_MV = 1000
MILD_TO_SEVERE = (0.45, 1.55)
"""Size of a patient's finding at difficulty 0; 1 is a textbook's."""
MILDEST = 0.25
"""What difficulty 1 multiplies it by."""


def draw(
    params: Synthetic.Params, patient: Patient, record: int, af: bool
) -> np.ndarray:
    """The record of this number: int16, shape (12, samples), in uV."""
    anatomy = generator(params.seed, "anatomy", patient.number)
    rng = generator(params.seed, "record", record)
    times = np.arange(round(params.duration * params.recorded_rate))
    times = times / params.recorded_rate
    heart = individual(normal_heart(), anatomy)
    for finding in patient.findings:
        effect = anatomy.uniform(*MILD_TO_SEVERE) * MILDEST**params.difficulty
        heart = CHANGES[finding](heart, effect, anatomy)
    resting_rate = anatomy.normal(70, 10)
    if af:
        heart = {name: w for name, w in heart.items() if not name.startswith("P ")}
        beats = fibrillating(params.duration, rng)
        dipole = dipole_of(heart, beats, times) + fibrillation_waves(times, rng)
    else:
        beats = sinus(params.duration, resting_rate, rng)
        dipole = dipole_of(heart, beats, times)
    independent = DOWER @ dipole + noise(times, len(DOWER), params.difficulty, rng)
    return twelve_leads(np.rint(independent * UNITS_PER_MV))


def dipole_of(heart: Heart, beats: Beats, times: np.ndarray) -> np.ndarray:
    """The sum of all waves of all beats (Sameni et al. 2007): (3, samples), in mV."""
    dipole = np.zeros((3, len(times)))
    for wave in heart.values():
        stretch = np.sqrt(beats.rr) if wave.recovery else np.ones_like(beats.rr)
        distance = times - (beats.peaks + wave.time * stretch)[:, None]
        shape = np.exp(-0.5 * (distance / (wave.width * stretch)[:, None]) ** 2)
        dipole += np.outer(wave.vector, beats.strength @ shape)
    return dipole


def twelve_leads(independent: np.ndarray) -> np.ndarray:
    """I, II, V1-V6 in whole units -> 12 leads, int16; III = II - I holds exactly."""
    one, two, chest = independent[0], independent[1], independent[2:]
    augmented = [-(one + two) / 2, one - two / 2, two - one / 2]
    return np.rint([one, two, two - one, *augmented, *chest]).astype(np.int16)


def write(
    file: Path, signal: np.ndarray, leads: Sequence[str], sampling_rate: float
) -> None:
    """Write a record in format 16 beside `file` (its .dat); the .dat appears last."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        wfdb.wrsamp(
            file.stem,
            fs=sampling_rate,
            units=["mV"] * len(leads),
            sig_name=list(leads),
            d_signal=signal.T,
            fmt=["16"] * len(leads),
            adc_gain=[float(UNITS_PER_MV)] * len(leads),
            baseline=[0] * len(leads),
            write_dir=folder,
        )
        for name in (f"{file.stem}.hea", file.name):
            (Path(folder) / name).replace(file.parent / name)
