"""The prepared file: decoded records of a data set, one HDF5 file.

`signals` is one row of float32 in which records lie one after the other, each as
(leads, samples); `offsets` and `lengths` (in samples) say where; `ids` names them.
Signals have checksums of HDF5's own, all the rest one hash: a record is never read for
another one, however a disk or a person has changed the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from harness.data.decode import Decoded
from harness.data.signals import Signals
from harness.errors import DataError
from harness.files.atomic import canonical, new_temporary, sync_folder

# 64 KiB: about a 12-lead record of 10 s at 100 Hz, so that one record is one read.
CHUNK = 1 << 14


@dataclass(frozen=True)
class Contents:
    """What a prepared file holds, apart from the signals.

    Attributes
    ----------
    ids
        Record ids, in the order in which they are stored.
    offsets
        int64: where each record starts in `signals`.
    lengths
        int64: samples of each record.
    bad
        Records with a fault: `record`, `reason`, and `leads` where only these are
        flat, in which case the record is stored too.
    leads
        Lead names, in the order of the rows.
    """

    ids: NDArray[np.object_]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    bad: list[dict[str, Any]]
    leads: list[str]

    @property
    def hash(self) -> str:
        """SHA-256 of it all, by which a damaged file is known."""
        places = [self.offsets.tolist(), self.lengths.tolist()]
        parts = [self.ids.tolist(), *places, self.bad, self.leads]
        return hashlib.sha256(canonical(parts).encode()).hexdigest()


def write_prepared(
    path: Path,
    decoded: Iterable[Decoded],
    leads: Sequence[str],
    attributes: dict[str, Any],
) -> None:
    """Write the file, whole or not at all."""
    handle, temporary = new_temporary(path)
    try:
        with h5py.File(temporary, "w", locking=False) as file:
            _write(file, decoded, leads)
            file.attrs.update(attributes)
        os.fsync(handle)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write(file: h5py.File, decoded: Iterable[Decoded], leads: Sequence[str]) -> None:
    signals = file.create_dataset(
        "signals",
        (0,),
        "float32",
        maxshape=(None,),
        chunks=(CHUNK,),
        fletcher32=True,
    )
    ids: list[str] = []
    lengths: list[int] = []
    bad: list[dict[str, Any]] = []
    for record in decoded:
        if record.fault:
            bad.append({"record": record.record, "reason": record.fault})
        elif record.flat:
            bad.append({"record": record.record, "leads": list(record.flat)})
        if record.signal is not None:
            end = signals.shape[0]
            signals.resize(end + record.signal.size, axis=0)
            signals[end:] = record.signal.reshape(-1)
            ids.append(record.record)
            lengths.append(record.signal.shape[1])
    sizes = np.array(lengths, dtype=np.int64) * len(leads)
    contents = Contents(
        ids=np.array(ids, dtype=object),
        offsets=np.cumsum(sizes) - sizes,
        lengths=np.array(lengths, dtype=np.int64),
        bad=bad,
        leads=list(leads),
    )
    file["ids"] = _strings(ids)
    file["lengths"] = contents.lengths
    file["offsets"] = contents.offsets
    file["bad"] = _strings([json.dumps(bad)])
    file.attrs["leads"] = _strings(leads)
    file.attrs["hash"] = _strings([contents.hash])


def _strings(texts: Sequence[str]) -> NDArray[np.bytes_]:
    """Strings of one length: in a damaged file, HDF5 may follow others for ever."""
    encoded = [text.encode() for text in texts]
    longest = max((len(text) for text in encoded), default=1)
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", max(1, longest)))


def read_contents(path: Path) -> Contents | None:
    """What the file holds; None if it is missing, damaged or not one of ours."""
    try:
        # The file never changes once it has its name, and locks fail on some shared
        # file systems.
        with h5py.File(path, locking=False) as file:
            _check_layout(file)
            contents = Contents(
                ids=file["ids"].asstr()[:],
                offsets=file["offsets"][:],
                lengths=file["lengths"][:],
                bad=json.loads(file["bad"][0]),
                leads=[lead.decode() for lead in file.attrs["leads"]],
            )
            stored = file["signals"].shape[0]
            intact = contents.hash == file.attrs["hash"][0].decode()
    except Exception:  # noqa: BLE001 - whatever a damaged file provokes
        return None
    complete = stored == int(contents.lengths.sum()) * len(contents.leads)
    return contents if intact and complete else None


def _check_layout(file: h5py.File) -> None:
    """Refuse what a damaged file may declare, before any of it is allocated."""
    for name in ("ids", "offsets", "lengths", "bad", "signals"):
        dataset = file[name]
        size = dataset.id.get_storage_size()
        declared = dataset.size * dataset.dtype.itemsize
        stored = name == "signals" or declared == size
        if h5py.check_vlen_dtype(dataset.dtype) or dataset.ndim != 1 or not stored:
            raise ValueError(f"{name} is not laid out as written")
    signals = file["signals"]
    if signals.dtype != np.float32 or not signals.fletcher32:
        raise ValueError("signals are no float32 with checksums")


class PreparedRecords:
    """Reads single records of a prepared file, which stays open.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """

    def __init__(self, path: Path, leads: Sequence[str]) -> None:
        contents = read_contents(path)
        if contents is None:
            raise DataError(f"{path} was removed or damaged; prepare it again")
        self._path = path
        self.leads = tuple(leads)
        self._stored = len(contents.leads)
        self._rows = [contents.leads.index(lead) for lead in leads]
        places = zip(contents.offsets.tolist(), contents.lengths.tolist(), strict=True)
        self._places = dict(zip(contents.ids, places, strict=True))
        self._file = h5py.File(path, locking=False)
        self._signals = self._file["signals"]

    def samples(self, record: str) -> int:
        """How many samples a record has."""
        return int(self._places[record][1])

    def read(self, record: str) -> Signals:
        """A record's chosen leads: float32, shape (leads, samples), in mV.

        Raises
        ------
        DataError
            If the file is damaged there.
        """
        offset, length = self._places[record]
        flat = np.empty(self._stored * length, dtype=np.float32)
        try:
            self._signals.read_direct(flat, np.s_[offset : offset + len(flat)])
        except (OSError, RuntimeError, ValueError) as error:
            raise DataError(
                f"{self._path}: record {record} is damaged; remove the file, and it is "
                "prepared again"
            ) from error
        return flat.reshape(self._stored, length)[self._rows]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
