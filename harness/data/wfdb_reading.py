"""Reading one WFDB record as a plain array in mV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import wfdb

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
        If a file is missing or malformed, a lead is missing, a unit is no voltage, or
        the sampling rate is another one.
    """
    try:
        record = wfdb.rdrecord(str(path))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a readable WFDB record ({error})") from error
    if record.p_signal is None:
        raise DataError(f"{path}: the record holds no signal")
    if sampling_rate is not None and record.fs != sampling_rate:
        raise DataError(f"{path}.hea: {record.fs:g} Hz, expected {sampling_rate:g} Hz")
    rows = _rows(record.sig_name, leads, path)
    scale = [_millivolts(record.units[row], path) for row in rows]
    signal: np.ndarray = record.p_signal[:, rows].T * np.array(scale)[:, None]
    return signal.astype(np.float32)


def _rows(found: Sequence[str], wanted: Sequence[str], path: Path) -> list[int]:
    """Where each wanted lead lies among those found."""
    position = {name.lower(): row for row, name in enumerate(found)}
    missing = [lead for lead in wanted if lead.lower() not in position]
    if missing:
        raise DataError(
            f"{path}.hea: no lead {', '.join(missing)}; found: {', '.join(found)}"
        )
    return [position[lead.lower()] for lead in wanted]


def _millivolts(unit: str, path: Path) -> float:
    if unit.lower() not in MILLIVOLTS:
        raise DataError(f"{path}.hea: unknown unit {unit!r}; expected mV, uV or V")
    return MILLIVOLTS[unit.lower()]
