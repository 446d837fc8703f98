"""One split of a data set, from which batches are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.data.batch import Batch, side_features
from harness.data.order import Indices
from harness.data.signals import Signals
from harness.data.windows import Chunking

Read = Callable[[int], Signals]
"""Gives a record of a split, by its position: float32, shape (leads, samples)."""


@dataclass(frozen=True)
class SplitData:
    """The records of one split, normalised.

    Attributes
    ----------
    ids, patients
        str, shape (records,).
    labels
        int64 class indices, shape (records,); or float32, shape (records, classes),
        where the task is multi-label.
    lengths
        int64, shape (records,), in samples.
    side
        Side features by name, float32, shape (records,), NaN where unknown.
    leads
        Names of the leads, in the order of a record's rows.
    window
        Samples of a batch; None where records are taken whole.
    bucket
        Whole records are padded to a multiple of this many samples, so that batches
        come in few shapes.
    read
        Gives a record, by its position.
    views
        The same records through other leads, by those.
    chunking
        How records that are longer than the window are judged; None: by their middle.
    """

    ids: NDArray[np.str_]
    patients: NDArray[np.str_]
    labels: Tensor
    lengths: Indices
    side: dict[str, Tensor]
    leads: tuple[str, ...]
    window: int | None
    bucket: int
    read: Read
    views: Mapping[tuple[str, ...], SplitData] = field(default_factory=dict)
    chunking: Chunking | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def batch(
        self, indices: Indices | Tensor, *, crop: np.random.Generator | None = None
    ) -> Batch:
        """The batch of some records.

        Where a window is set, longer records are cut to it, from their middle, and
        shorter ones end in zeros; `crop` draws the place instead, of the window in
        the record or of the record in the zeros. Whole records are padded with zeros
        at their end, and have `lengths` and `mask`.

        Parameters
        ----------
        indices
            Positions in the split, int64, shape (batch,).
        """
        positions = np.asarray(indices, dtype=np.int64)
        lengths = self.lengths[positions]
        samples = self.padded(lengths) if self.window is None else self.window
        placed = _placement(lengths, samples, crop)
        index = torch.from_numpy(positions)
        side = {name: values[index] for name, values in self.side.items()}
        whole = self.window is None
        valid = torch.from_numpy(lengths)
        return Batch(
            signals=self._signals(positions, samples, placed),
            labels=self.labels[index],
            index=index,
            ids=self.ids[positions].tolist(),
            patients=self.patients[positions].tolist(),
            weights=torch.ones(len(positions)),
            lengths=valid if whole else None,
            mask=torch.arange(samples) < valid[:, None] if whole else None,
            side=side,
            side_features=side_features(side),
            leads=self.leads,
            views={
                leads: view._signals(positions, samples, placed)
                for leads, view in self.views.items()
            },
        )

    def without_views(self) -> Self:
        """The same records, through their own leads only."""
        return replace(self, views={})

    @property
    def bytes(self) -> int:
        """Size of all signals in memory, views included."""
        own = 4 * len(self.leads) * int(self.lengths.sum())
        return own + sum(view.bytes for view in self.views.values())

    def padded(self, lengths: Indices) -> int:
        """Samples of a batch of whole records."""
        return -(-int(lengths.max()) // self.bucket) * self.bucket

    def _signals(
        self, positions: Indices, samples: int, placed: tuple[Indices, Indices]
    ) -> Tensor:
        """float32, shape (batch, leads, samples)."""
        starts, places = placed
        signals = np.zeros((len(positions), len(self.leads), samples), np.float32)
        taken = np.minimum(self.lengths[positions], samples)
        columns = (positions, starts, places, taken)
        rows = zip(*(c.tolist() for c in columns), strict=True)
        for row, (position, start, place, n) in enumerate(rows):
            record = self.read(position)
            signals[row, :, place : place + n] = record[:, start : start + n]
        return torch.from_numpy(signals)


def _placement(
    lengths: Indices, samples: int, crop: np.random.Generator | None
) -> tuple[Indices, Indices]:
    """Where the window starts in each record, and each record in the window."""
    longer = np.maximum(lengths - samples, 0)
    shorter = np.maximum(samples - lengths, 0)
    if crop is None:
        return longer // 2, np.zeros_like(shorter)
    drawn = crop.integers(0, longer + shorter, endpoint=True)
    return np.minimum(drawn, longer), np.minimum(drawn, shorter)


def held_in_memory(split: SplitData) -> SplitData:
    """The same split, read once into memory: a block for each view."""
    leads = len(split.leads)
    ends = np.cumsum(split.lengths) * leads
    starts = ends - split.lengths * leads
    block = np.empty(ends[-1], dtype=np.float32)

    def read(i: int) -> Signals:
        return block[starts[i] : ends[i]].reshape(leads, -1)

    for i in range(len(split)):
        read(i)[:] = split.read(i)
    views = {leads: held_in_memory(view) for leads, view in split.views.items()}
    return replace(split, read=read, views=views)
