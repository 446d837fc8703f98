"""Reading one WFDB record as a plain array in mV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import wfdb

from harness.data.wfdb_header import Header, read_header
from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3}
"""How many mV one unit is, by the unit's name in lower case (both signs for micro)."""


def read_wfdb(
    path: Path, leads: Sequence[str], sampling_rate: float | None = None
) -> np.ndarray:
    """The named leads of a WFDB record, whatever their order and case in the header.

    Parameters
    ----------
    path
        The record's path without suffix; its header names the signal file
        (.dat, or .mat as in the PhysioNet Challenges).
    leads
        Signal names, in the order of the rows wanted.
    sampling_rate
        Hz; what the header must say, where given.

    Returns
    -------
    ndarray
        float32, shape (leads, samples), in mV; NaN where the file marks a sample as
        missing.

    Raises
    ------
    DataError
        If a file is missing or malformed; the header contradicts itself or the signal
        (number of samples, checksum, first sample); a lead is missing or there twice,
        a unit is no voltage, or the sampling rate is another one.
    """
    header = read_header(path)
    if sampling_rate is not None and header.rate != sampling_rate:
        raise DataError(
            f"{path}.hea: {header.rate:g} Hz, expected {sampling_rate:g} Hz"
        )
    rows = _rows([signal.name for signal in header.signals], leads, path)
    scale = [_millivolts(header.signals[row].units, path) for row in rows]
    physical = _physical(header, path)
    # A signal too large for a float32 becomes infinite, which is found to be bad.
    with np.errstate(over="ignore"):
        signal: np.ndarray = physical[:, rows].T * np.array(scale)[:, None]
        return signal.astype(np.float32)


def _physical(header: Header, path: Path) -> np.ndarray:
    """All signals in the header's units, shape (samples, signals)."""
    try:
        record = wfdb.rdrecord(str(path), physical=False)
        _check_signal(header, record.d_signal, path)
        # Two ways of reading a header must not differ in what an amplitude is.
        if record.adc_gain != [signal.gain for signal in header.signals]:
            raise DataError(f"{path}.hea: gains that can't be told for sure")
        physical: np.ndarray = record.dac()
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: not a readable WFDB record ({error})") from error
    return physical


def _check_signal(header: Header, digital: np.ndarray, path: Path) -> None:
    """Compare a digital signal, shape (samples, signals), with what was noted of it."""
    if digital.shape[1] != len(header.signals):
        raise DataError(f"{path}: not a readable WFDB record (not all its signals)")
    sums = digital.sum(axis=0, dtype=np.int64)
    for row, signal in enumerate(header.signals):
        # 0 stands for "not noted", as in headers of the Challenge of 2017.
        wrong_sum = signal.checksum and (int(sums[row]) - signal.checksum) % (1 << 16)
        wrong_start = signal.initial and int(digital[0, row]) != signal.initial
        if wrong_sum or wrong_start:
            what = "checksum" if wrong_sum else "first sample"
            raise DataError(
                f"{path}: the {what} of lead {signal.name} is not the one that the "
                "header notes: the file is damaged"
            )


def _rows(found: Sequence[str], wanted: Sequence[str], path: Path) -> list[int]:
    """Where each wanted lead lies among those found."""
    names = [name.lower() for name in found]
    missing = [lead for lead in wanted if lead.lower() not in names]
    if missing:
        raise DataError(
            f"{path}.hea: no lead {', '.join(missing)}; found: {', '.join(found)}"
        )
    twice = [lead for lead in wanted if names.count(lead.lower()) > 1]
    if twice:
        raise DataError(f"{path}.hea: lead {', '.join(twice)} is there more than once")
    return [names.index(lead.lower()) for lead in wanted]


def _millivolts(unit: str, path: Path) -> float:
    if unit.lower() not in MILLIVOLTS:
        raise DataError(f"{path}.hea: unknown unit {unit!r}; expected mV, uV or V")
    return MILLIVOLTS[unit.lower()]
