"""Decoding many records, in this process or in several."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial

import pandas as pd

from harness.data.dataset_source import DatasetSource
from harness.data.decode import Decoded, decode_record
from harness.errors import DataError
from harness.options import Filter
from harness.plugin import Dataset

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
