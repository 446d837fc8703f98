"""What a finished cell said of each test record: `predictions.npz`, read with care."""

from __future__ import annotations

import io
import tokenize
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray

from harness.files.atomic import read_limited

PREDICTIONS = "predictions.npz"
LARGEST_PREDICTIONS = 1 << 28
"""Bytes of its arrays: ten times half a million records of thirty classes."""

_DAMAGED = (
    *(BadZipFile, KeyError, EOFError, NotImplementedError, MemoryError, RuntimeError),
    *(SyntaxError, TypeError, OverflowError, tokenize.TokenError, zlib.error, Warning),
)
"""What damaged archives and headers of arrays are known to end in."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of the test records, and what they should have been.

    Attributes
    ----------
    records, patients
        str, shape (records,); no record stands twice.
    labels
        Class indices, shape (records,); or 0 and 1, shape (records, classes).
    probabilities
        Finite, shape (records, classes).
    """

    records: NDArray[np.str_]
    patients: NDArray[np.str_]
    labels: NDArray[Any]
    probabilities: NDArray[Any]


def read_test_predictions(folder: Path) -> Predictions:
    """The predictions of a cell on its test records.

    Raises
    ------
    OSError
        If there are none, or they can't be read.
    ValueError
        If the file isn't whole, or doesn't hold what it should.
    """
    content = read_limited(folder / PREDICTIONS, LARGEST_PREDICTIONS)
    names = ("records", "patients", "labels", "probabilities")
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            # A few bytes can unfold into more than there is memory.
            if sum(p.file_size for p in archive.infolist()) > LARGEST_PREDICTIONS:
                raise ValueError("unfolds into too much")
            with warnings.catch_warnings(action="error"):
                found = Predictions(*(_array(archive, f"test_{n}") for n in names))
    except _DAMAGED as error:
        raise ValueError(f"is no archive of arrays: {error}") from None
    _check(found)
    return found


def _array(archive: ZipFile, name: str) -> NDArray[Any]:
    """An array as `numpy.savez` names it."""
    content = archive.read(f"{name}.npy")
    found: NDArray[Any] = read_array(io.BytesIO(content), allow_pickle=False)
    return found


def _check(found: Predictions) -> None:
    records = len(found.records) if found.records.ndim == 1 else 0
    texts = (found.records, found.patients)
    if not records or any(t.shape != (records,) or t.dtype.kind != "U" for t in texts):
        raise ValueError("doesn't hold a record's id and a patient in each place")
    if len(set(found.records.tolist())) < records:
        raise ValueError("holds a record twice")
    values = found.probabilities
    if values.ndim != 2 or len(values) != records or values.dtype.kind != "f":
        raise ValueError("doesn't hold probabilities of each record")
    if not np.isfinite(values).all():
        raise ValueError("holds probabilities that aren't finite")
    labels = found.labels
    if (
        labels.shape not in ((records,), values.shape)
        or labels.dtype.kind not in "biuf"
    ):
        raise ValueError("doesn't hold labels of each record")
