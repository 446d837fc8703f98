"""Splits of a data set's size and shape that hold noise: nothing is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from harness.cache import cache_root
from harness.data.check_options import chunking, sampling_rate, window_samples
from harness.data.dataset import OpenData
from harness.data.order import generator
from harness.data.prepare import prepared_key
from harness.data.prepared_file import read_contents
from harness.data.signals import Signals
from harness.data.split import SplitData
from harness.data.splits_loaded import DataSplits, bucket_samples
from harness.errors import DataError
from harness.plugin import SPLITS


def noise_splits(data: OpenData, views: Sequence[tuple[str, ...]] = ()) -> DataSplits:
    """As many records as the data set has, of its leads and lengths, in its classes.

    Records that are to be judged in chunks have the length of one as long as they
    aren't prepared.

    Parameters
    ----------
    views
        Other leads through which training and validation records are seen, too.

    Raises
    ------
    DataError
        If records are taken whole and aren't prepared yet: their lengths aren't known.
    """
    dataset, options = data.dataset, data.options
    leads = tuple(options.leads or dataset.leads)
    rate = sampling_rate(dataset, options)
    window = window_samples(dataset, options)
    lengths = _lengths(data, window)

    def split(name: str, seen: tuple[str, ...]) -> SplitData:
        return _split(data, name, seen, lengths, window, bucket_samples(rate))

    splits = {name: split(name, leads) for name in SPLITS}
    for name in ("train", "validation"):
        through = {seen: split(name, seen) for seen in views}
        splits[name] = replace(splits[name], views=through)
    longest = max(s.padded(s.lengths) for s in splits.values())
    return DataSplits(
        **splits,
        classes=tuple(dataset.classes),
        task=dataset.task,
        leads=leads,
        sampling_rate=rate,
        samples=longest if window is None else window,
        statistics=None,
    )


def _split(
    data: OpenData,
    name: str,
    leads: tuple[str, ...],
    lengths: dict[str, int],
    window: int | None,
    bucket: int,
) -> SplitData:
    dataset, records = data.dataset, data.index.records
    rows = records[records["split"] == name]
    ids = rows.index.to_numpy(dtype=np.str_)
    own: NDArray[np.int64] = np.array([lengths[i] for i in ids], dtype=np.int64)
    shape = len(leads), max(lengths.values())
    noise = generator(0, "noise").standard_normal(shape)
    signals: Signals = noise.astype(np.float32)
    return SplitData(
        ids=ids,
        patients=rows["patient"].to_numpy(dtype=np.str_),
        labels=_labels(len(ids), dataset.classes, dataset.task),
        lengths=own,
        side={feature: torch.zeros(len(ids)) for feature in data.options.side},
        leads=leads,
        window=window,
        bucket=bucket,
        read=lambda i: signals[:, : own[i]],
        chunking=chunking(dataset, data.options),
    )


def _lengths(data: OpenData, window: int | None) -> dict[str, int]:
    """Samples of each record; the window's, where no more than that is needed."""
    ids = data.index.records.index
    if window is not None and data.options.chunks is None:
        return dict.fromkeys(ids, window)
    key = prepared_key(data.dataset, data.index, data.options)
    path = cache_root() / "prepared" / f"{data.dataset.name}-{key}.h5"
    contents = read_contents(path)
    if contents is None and window is not None:
        return dict.fromkeys(ids, window)
    if contents is None:
        raise DataError("whole records: known once they are prepared")
    found = dict(zip(contents.ids, contents.lengths.tolist(), strict=True))
    longest = max(found.values())
    return {i: found.get(i, longest) for i in ids}


def _labels(records: int, classes: Sequence[str], task: str) -> torch.Tensor:
    if task == "single-label":
        return torch.arange(records) % len(classes)
    return torch.zeros(records, len(classes))
