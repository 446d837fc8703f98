"""From records' files to checked, filtered and resampled signals, in parallel."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from harness.data.dataset_source import DatasetSource
from harness.data.signals import FLAT_MV, Signals, bandpass, resample
from harness.errors import DataError
from harness.options import Filter
from harness.plugin import Dataset


@dataclass(frozen=True)
class Decoded:
    """A record's signal (float32, mV, shape (leads, samples)), or why there is none.

    `flat` are the leads that hold no signal, where others do.
    """

    record: str
    signal: Signals | None = None
    fault: str = ""
    flat: tuple[str, ...] = ()


def decode_record(
    dataset: Dataset, row: pd.Series, rate: float, band: Filter | None
) -> Decoded:
    """One record: generated if need be, read, checked, filtered and resampled."""
    record = str(row.name)
    missing = [f for f in row["files"] if not (dataset.root / f).is_file()]
    if missing and not dataset.folder:
        generate_files(dataset, row)
    elif missing:
        return Decoded(record, fault=f"no file {missing[0]}")
    try:
        signal = np.asarray(dataset.read(row), dtype=np.float32)
    except DataError as error:
        return Decoded(record, fault=str(error))
    except Exception as error:  # noqa: BLE001 - whatever a broken file provokes
        return Decoded(record, fault=f"unreadable: {type(error).__name__}: {error}")
    fault = find_fault(signal, dataset)
    if fault:
        return Decoded(record, fault=fault)
    flat = tuple(
        name
        for name, lead in zip(dataset.leads, signal, strict=True)
        if np.ptp(lead) <= FLAT_MV
    )
    if band is not None:
        signal = bandpass(signal, dataset.sampling_rate, band)
    signal = resample(signal, dataset.sampling_rate, rate)
    return Decoded(record, np.ascontiguousarray(signal), flat=flat)


def find_fault(signal: Signals, dataset: Dataset) -> str:
    """Why a signal can't be used at all; empty if it can."""
    if signal.ndim != 2 or len(signal) != len(dataset.leads):
        return f"shape {signal.shape}, expected ({len(dataset.leads)} leads, samples)"
    if signal.shape[1] == 0:
        return "empty"
    if dataset.seconds is not None:
        expected = round(dataset.seconds * dataset.sampling_rate)
        if signal.shape[1] != expected:
            return f"{signal.shape[1]} samples, expected {expected}"
    invalid = np.count_nonzero(~np.isfinite(signal))
    return f"{invalid} samples are not finite" if invalid else ""


def generate_files(dataset: Dataset, row: pd.Series) -> None:
    """Generate a record's files beside the root, then move them there whole.

    Two processes may generate the same record: each renames equal files into place.
    """
    dataset.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dataset.root, prefix=".new-") as folder:
        temporary = Path(folder)
        type(dataset)(dataset.params, temporary).generate(row)
        for file in [f for f in temporary.rglob("*") if f.is_file()]:
            target = dataset.root / file.relative_to(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def flat_leads(leads: Sequence[str]) -> str:
    """The fault of a record some of whose leads hold no signal."""
    return f"flat: lead{'s' if len(leads) > 1 else ''} {', '.join(leads)}"


CHUNK_RECORDS = 32

Work = Callable[[pd.DataFrame], list[Decoded]]


def decode_records(
    dataset: Dataset, rows: pd.DataFrame, rate: float, band: Filter | None, workers: int
) -> Iterator[Decoded]:
    """Decode rows of `Dataset.records`, in their order, filtered and at `rate` Hz.

    Raises
    ------
    DataError
        If a worker process was killed.
    """
    if workers == 1:
        yield from _decode(dataset, rate, band, rows)
        return
    chunks = [rows[i : i + CHUNK_RECORDS] for i in range(0, len(rows), CHUNK_RECORDS)]
    work = partial(_decode_from, DatasetSource.of(dataset), rate, band)
    for part in _in_processes(work, chunks, workers):
        yield from part


def _decode(
    dataset: Dataset, rate: float, band: Filter | None, rows: pd.DataFrame
) -> Iterator[Decoded]:
    return (decode_record(dataset, row, rate, band) for _, row in rows.iterrows())


def _decode_from(
    source: DatasetSource, rate: float, band: Filter | None, rows: pd.DataFrame
) -> list[Decoded]:
    return list(_decode(_loaded(source), rate, band, rows))


# A worker process makes the data set once, not for each chunk.
_loaded = cache(DatasetSource.load)


def _in_processes(
    work: Work, chunks: list[pd.DataFrame], workers: int
) -> Iterator[list[Decoded]]:
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[list[Decoded]]] = deque()
    with ProcessPoolExecutor(min(workers, len(chunks)), context) as pool:
        try:
            for chunk in chunks:
                waiting.append(pool.submit(work, chunk))
                # Decoded records wait in memory: not more than keep the workers busy.
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise DataError(
                "a process that decodes records was killed, perhaps for want of "
                "memory; use fewer workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
