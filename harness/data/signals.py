"""Signal processing: pure functions on arrays of shape (..., leads, samples)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from harness.options import Filter, Normalise

Signals = NDArray[np.float32]

# A lead that deviates less than this from its mean holds no signal: a thousandth of
# the 1 uV step of the finest converters in use.
FLAT_MV = 1e-6


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation (mV) over training records.

    Both have shape (leads, 1), or (1, 1) where all leads share them.
    """

    mean: Signals
    std: Signals


def resample(signal: Signals, rate_in: float, rate_out: float) -> Signals:
    """Resample by polyphase filtering with a zero-phase anti-aliasing filter.

    Parameters
    ----------
    signal
        Shape (..., samples).
    rate_in, rate_out
        Sampling rates in Hz.

    Returns
    -------
    ndarray
        float32, shape (..., ceil(samples * rate_out / rate_in)).
    """
    ratio = Fraction(rate_out / rate_in).limit_denominator(1000)
    if ratio == 1:
        return signal.astype(np.float32, copy=False)
    # A second to import, and needed once in the life of a prepared file.
    from scipy import signal as dsp

    resampled = dsp.resample_poly(
        signal, ratio.numerator, ratio.denominator, axis=-1, padtype="line"
    )
    return np.asarray(resampled, dtype=np.float32)


def bandpass(signal: Signals, rate: float, band: Filter) -> Signals:
    """Zero-phase Butterworth filter: forwards and backwards, so of twice the order.

    Parameters
    ----------
    signal
        Shape (..., samples), at `rate` Hz. Records shorter than the filter's usual
        padding are padded by what they have.
    """
    kind, edges = _edges(band)
    from scipy import signal as dsp

    sections = dsp.butter(band.order, edges, btype=kind, fs=rate, output="sos")
    padding = min(3 * (2 * len(sections) + 1), signal.shape[-1] - 1)
    filtered = dsp.sosfiltfilt(
        sections, signal.astype(np.float64), axis=-1, padlen=padding
    )
    return np.asarray(filtered, dtype=np.float32)


def _edges(band: Filter) -> tuple[str, float | tuple[float, float] | None]:
    if band.lowpass is None:
        return "highpass", band.highpass
    if band.highpass is None:
        return "lowpass", band.lowpass
    return "bandpass", (band.highpass, band.lowpass)


def normalise(
    signal: Signals, mode: Normalise, statistics: Statistics | None = None
) -> Signals:
    """Scale a record, or several, as a suite declares.

    Parameters
    ----------
    signal
        float32, shape (..., leads, samples), in mV.
    mode
        `record`: zero mean and unit standard deviation for each lead of each record.
        `record-minmax`: each lead of each record to [-1, 1]. `train-lead` and
        `train-global`: by `statistics` of the training records. `none`: left in mV.
        In the first two a flat lead becomes zeros.
    """
    if mode == "record":
        centred = signal - signal.mean(axis=-1, keepdims=True)
        return _scaled(centred, centred.std(axis=-1, keepdims=True))
    if mode == "record-minmax":
        lowest = signal.min(axis=-1, keepdims=True)
        highest = signal.max(axis=-1, keepdims=True)
        return _scaled(signal - (highest + lowest) / 2, (highest - lowest) / 2)
    if mode == "none":
        return signal
    if statistics is None:
        raise ValueError(f"normalising by {mode!r} needs statistics")
    return _scaled(signal - statistics.mean, statistics.std)


def _scaled(centred: Signals, scale: Signals) -> Signals:
    divisor = np.where(scale <= FLAT_MV, np.float32(np.inf), scale)
    return np.asarray(centred / divisor, dtype=np.float32)


def training_statistics(
    signals: Iterable[Signals], mode: Normalise
) -> Statistics | None:
    """Mean and standard deviation over training records, where `mode` needs them.

    Parameters
    ----------
    signals
        Each of shape (leads, samples), in mV.
    """
    if mode not in ("train-lead", "train-global"):
        return None
    samples, total, squares = 0, np.zeros((1, 1)), np.zeros((1, 1))
    for signal in signals:
        exact = signal.astype(np.float64)
        samples += signal.shape[-1]
        total = total + exact.sum(axis=-1, keepdims=True)
        squares = squares + (exact**2).sum(axis=-1, keepdims=True)
    mean, square = total / samples, squares / samples
    if mode == "train-global":
        mean, square = mean.mean(keepdims=True), square.mean(keepdims=True)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    return Statistics(mean.astype(np.float32), std.astype(np.float32))
