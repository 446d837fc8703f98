"""Splits of a data set's size and shape that hold noise: nothing is decoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from harness.data.cache import cache_root
from harness.data.loading import DataSplits, bucket_samples
from harness.data.opening import OpenData
from harness.data.order import generator
from harness.data.prepare import prepared_key
from harness.data.prepared_file import read_contents
from harness.data.signals import Signals
from harness.data.split_data import SplitData
from harness.data.split_names import SPLITS
from harness.data.suitability import sampling_rate, window_samples
from harness.errors import DataError


def noise_splits(data: OpenData) -> DataSplits:
    """As many records as the data set has, of its leads and lengths, in its classes.

    Raises
    ------
    DataError
        If records are taken whole and aren't prepared yet: their lengths aren't known.
    """
    dataset, options, records = data.dataset, data.options, data.index.records
    leads = tuple(options.leads or dataset.leads)
    rate = sampling_rate(dataset, options)
    window = window_samples(dataset, options)
    lengths = _lengths(data, window)
    noise = generator(0, "noise").standard_normal((len(leads), max(lengths.values())))
    signals = noise.astype(np.float32)
    splits = {
        name: _split(
            records[records["split"] == name],
            lengths,
            signals,
            _labels(records["split"].eq(name).sum(), dataset.classes, dataset.task),
            window,
            bucket_samples(rate),
            options.side,
        )
        for name in SPLITS
    }
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
    rows: pd.DataFrame,
    lengths: dict[str, int],
    signals: Signals,
    labels: torch.Tensor,
    window: int | None,
    bucket: int,
    side: Sequence[str],
) -> SplitData:
    ids = rows.index.to_numpy(dtype=np.str_)
    own: NDArray[np.int64] = np.array([lengths[i] for i in ids], dtype=np.int64)
    return SplitData(
        ids=ids,
        patients=rows["patient"].to_numpy(dtype=np.str_),
        labels=labels,
        lengths=own,
        side={name: torch.zeros(len(ids)) for name in side},
        leads=len(signals),
        window=window,
        bucket=bucket,
        read=lambda i: signals[:, : own[i]],
    )


def _lengths(data: OpenData, window: int | None) -> dict[str, int]:
    """Samples of each record; the window's, where there is one."""
    ids = data.index.records.index
    if window is not None:
        return dict.fromkeys(ids, window)
    key = prepared_key(data.dataset, data.index, data.options)
    path = cache_root() / "prepared" / f"{data.dataset.name}-{key}.h5"
    contents = read_contents(path)
    if contents is None:
        raise DataError("whole records: known once they are prepared")
    found = dict(zip(contents.ids, contents.lengths.tolist(), strict=True))
    longest = max(found.values())
    return {i: found.get(i, longest) for i in ids}


def _labels(records: int, classes: Sequence[str], task: str) -> torch.Tensor:
    if task == "single-label":
        return torch.arange(records) % len(classes)
    return torch.zeros(records, len(classes))
