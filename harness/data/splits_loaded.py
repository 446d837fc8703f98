"""From a prepared file to the three splits that batches are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from harness.data.check_options import chunking, sampling_rate, window_samples
from harness.data.prepare import Prepared
from harness.data.prepared_file import PreparedRecords
from harness.data.record_index import RecordIndex
from harness.data.signals import Signals, Statistics, normalise, training_statistics
from harness.data.split import SplitData, held_in_memory
from harness.data.splits import check_splits
from harness.options import DataOptions
from harness.plugin import SPLITS, Dataset, Task

__all__ = ["DataSplits", "SplitData", "load"]


@dataclass(frozen=True)
class DataSplits:
    """A data set, ready to be trained on.

    Attributes
    ----------
    train, validation, test
        The splits, disjoint by patient.
    classes
        Class names, in the order of labels.
    leads
        Lead names, in the order of a batch's rows.
    sampling_rate
        Of the signals, in Hz.
    samples
        Samples of a batch; of whole records, those of the longest.
    statistics
        What signals were normalised by, where these are training statistics.
    """

    train: SplitData
    validation: SplitData
    test: SplitData
    classes: tuple[str, ...]
    task: Task
    leads: tuple[str, ...]
    sampling_rate: float
    samples: int
    statistics: Statistics | None


def load(
    prepared: Prepared,
    index: RecordIndex,
    dataset: Dataset,
    options: DataOptions,
    *,
    memory_budget_bytes: int,
    views: Mapping[tuple[str, ...], Prepared] | None = None,
) -> DataSplits:
    """Load the splits: into memory if they fit the budget, else streamed per batch.

    Both ways give the same batches, bit for bit.

    Parameters
    ----------
    views
        Leads through which training and validation records can be seen beside their
        own, with the prepared file as it is for a cell on these leads: by that cell's
        training records they are normalised.

    Raises
    ------
    DataError
        If bad records leave a split that can't be used.
    """
    leads = tuple(options.leads or dataset.leads)
    files = {leads: prepared, **(views or {})}
    sources = {seen: PreparedRecords(file.path, seen) for seen, file in files.items()}
    scales = {
        seen: _statistics(_usable(index, files[seen], dataset), source, options)
        for seen, source in sources.items()
    }
    records = _usable(index, prepared, dataset)
    rows: dict[str, pd.DataFrame] = {
        name: records[records["split"] == name] for name in SPLITS
    }
    rate = sampling_rate(dataset, options)
    window = window_samples(dataset, options)

    def split(name: str, seen: tuple[str, ...]) -> SplitData:
        scale = partial(normalise, mode=options.normalise, statistics=scales[seen])
        return _split(dataset, options, sources[seen], scale, window, rate, rows[name])

    splits = {name: split(name, leads) for name in SPLITS}
    for name in ("train", "validation"):
        through = {seen: split(name, seen) for seen in views or {}}
        splits[name] = replace(splits[name], views=through)
    if sum(s.bytes for s in splits.values()) <= memory_budget_bytes:
        splits = {name: held_in_memory(split) for name, split in splits.items()}
        for source in sources.values():
            source.close()
    longest = max(s.padded(s.lengths) for s in splits.values())
    return DataSplits(
        **splits,
        classes=tuple(dataset.classes),
        task=dataset.task,
        leads=leads,
        sampling_rate=rate,
        samples=longest if window is None else window,
        statistics=scales[leads],
    )


def _statistics(
    records: pd.DataFrame, source: PreparedRecords, options: DataOptions
) -> Statistics | None:
    training = records.index[records["split"] == "train"]
    return training_statistics(map(source.read, training), options.normalise)


def _usable(index: RecordIndex, prepared: Prepared, dataset: Dataset) -> pd.DataFrame:
    if not prepared.bad:
        return index.records
    bad = {entry["record"] for entry in prepared.bad}
    records = index.records[~index.records.index.isin(bad)]
    check_splits(records, dataset)
    return records


def _split(
    dataset: Dataset,
    options: DataOptions,
    source: PreparedRecords,
    scale: Callable[[Signals], Signals],
    window: int | None,
    rate: float,
    rows: pd.DataFrame,
) -> SplitData:
    ids = rows.index.tolist()
    return SplitData(
        ids=np.array(ids, dtype=np.str_),
        patients=rows["patient"].to_numpy(dtype=np.str_),
        labels=_labels(rows["labels"], dataset),
        lengths=np.array([source.samples(i) for i in ids], dtype=np.int64),
        side={
            name: torch.tensor(rows[name].to_numpy(dtype=np.float32))
            for name in options.side
        },
        leads=source.leads,
        window=window,
        bucket=bucket_samples(rate),
        read=lambda i: scale(source.read(ids[i])),
        chunking=chunking(dataset, options),
    )


def bucket_samples(rate: float) -> int:
    """What whole records are padded to a multiple of: about a second of samples.

    That makes some 50 shapes for records of 9 to 61 s, and half a second of padding on
    average. It is a power of two, because the strides of most networks are: a batch
    then has a whole number of a network's steps, and a record's last step is known.
    """
    return 1 << round(math.log2(max(rate, 1.0)))


def _labels(labels: pd.Series, dataset: Dataset) -> Tensor:
    number = {name: i for i, name in enumerate(dataset.classes)}
    if dataset.task == "single-label":
        return torch.tensor([number[name] for (name,) in labels], dtype=torch.int64)
    targets = torch.zeros(len(labels), len(number))
    for row, names in enumerate(labels):
        targets[row, [number[name] for name in names]] = 1
    return targets
