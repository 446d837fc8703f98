"""Judging records that are longer than a sample: by all their windows, not one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from harness.data.batch import Batch
    from harness.data.order import Indices
    from harness.data.signals import Signals
    from harness.data.split import SplitData

Combine = Literal["mean", "max"]


@dataclass(frozen=True)
class Chunking:
    """How longer records are cut, and what their windows' probabilities become.

    Attributes
    ----------
    stride
        Samples from the start of one window to that of the next; at most a window.
    combine
        A record's probability of a class: the mean over its windows, or the largest.
    """

    stride: int
    combine: Combine = "mean"


@dataclass(frozen=True)
class Windows:
    """What is sent through the network to judge a split: a row for each window.

    Attributes
    ----------
    rows
        The windows as a split of their own, those of a record next to one another.
    record
        int64, shape (windows,): the position of the record that each is of.
    combine
        As in `Chunking`.
    """

    rows: SplitData
    record: Indices
    combine: Combine

    def __len__(self) -> int:
        return len(self.record)

    def batch(self, positions: Indices) -> Batch:
        """Some windows; `index` tells the positions of their records."""
        batch = self.rows.batch(positions)
        return replace(batch, index=batch.index.new_tensor(self.record[positions]))

    def combined(
        self, probabilities: NDArray[np.float32], *, sum_to_one: bool
    ) -> NDArray[np.float32]:
        """The probabilities of records from those of their windows.

        Parameters
        ----------
        probabilities
            Shape (windows, classes).
        sum_to_one
            Whether a record's probabilities are shares of 1, as in a single-label task:
            the largest of several windows are divided by their sum.

        Returns
        -------
        ndarray
            Shape (records, classes); that of a record with one window is the window's.
        """
        first = np.flatnonzero(np.diff(self.record, prepend=-1))
        number = np.diff(first, append=len(self))
        exact = probabilities.astype(np.float64)
        if self.combine == "mean":
            found = np.add.reduceat(exact, first) / number[:, None]
        else:
            found = np.maximum.reduceat(exact, first)
            if sum_to_one:
                found /= np.where(number > 1, found.sum(1), 1.0)[:, None]
        combined: NDArray[np.float32] = found.astype(np.float32)
        return combined


def windows_of(split: SplitData) -> Windows:
    """The windows by which a split is judged; each record's only one, in its place,
    where the split says nothing of chunks.
    """
    if split.chunking is None or split.window is None:
        return Windows(split, np.arange(len(split)), "mean")
    starts = [
        window_starts(n, split.window, split.chunking.stride) for n in split.lengths
    ]
    record = np.repeat(np.arange(len(split)), [len(s) for s in starts])
    return Windows(
        _cut(split, split.window, record, np.concatenate(starts)),
        record,
        split.chunking.combine,
    )


def window_starts(length: int, window: int, stride: int) -> Indices:
    """Where the windows of a record start: at every stride from 0 as long as a whole
    one fits, and one more that ends with the record.

    As in Han et al. 2021, CinC 2021 #80, where windows of 15 s start every 10 s.

    Parameters
    ----------
    length, window, stride
        In samples. A record that isn't longer than the window has one, from 0.
    """
    last = max(int(length) - window, 0)
    return np.unique(np.append(np.arange(0, last, stride), last))


def _cut(split: SplitData, window: int, record: Indices, starts: Indices) -> SplitData:
    # The windows of a record are read one after the other: it is read once for all.
    whole = lru_cache(maxsize=1)(split.read)

    def read(i: int) -> Signals:
        start = int(starts[i])
        return whole(int(record[i]))[:, start : start + window]

    return replace(
        split,
        ids=split.ids[record],
        patients=split.patients[record],
        labels=split.labels[record],
        lengths=np.minimum(split.lengths[record], window),
        side={name: values[record] for name, values in split.side.items()},
        read=read,
        views={},
        chunking=None,
    )
