"""A batch of ECG records on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import torch
from torch import Tensor


@dataclass
class Batch:
    """What a strategy sees of some records.

    Attributes
    ----------
    signals
        float32, shape (batch, leads, samples), normalised as the suite declares.
    labels
        int64 class indices, shape (batch,); or float32 targets, shape (batch, classes),
        where the task is multi-label or labels were mixed.
    index
        int64, shape (batch,): positions in the split.
    ids, patients
        Record and patient ids.
    weights
        float32, shape (batch,): multiply each sample's loss.
    lengths
        int64, shape (batch,), in samples, where records differ in length.
    mask
        bool, shape (batch, samples): True on signal, False on padding; with `lengths`.
    side
        Side features by name, float32, shape (batch,), NaN where unknown.
    side_features
        The same as models take it, float32, shape (batch, 5), its columns named in
        `harness.data.side_features`; None where the suite asks for no side features.
    """

    signals: Tensor
    labels: Tensor
    index: Tensor
    ids: Sequence[str]
    patients: Sequence[str]
    weights: Tensor
    lengths: Tensor | None = None
    mask: Tensor | None = None
    side: dict[str, Tensor] = field(default_factory=dict)
    side_features: Tensor | None = None

    def __len__(self) -> int:
        return int(self.signals.shape[0])

    def to(self, device: torch.device) -> Self:
        """The batch with its tensors on `device`."""
        moved: dict[str, Any] = {
            f.name: value.to(device, non_blocking=True)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        side = {k: v.to(device, non_blocking=True) for k, v in self.side.items()}
        return replace(self, **moved, side=side)

    def select(self, which: Tensor) -> Self:
        """The samples of a bool mask, shape (batch,), or of positions, shape (n,)."""
        rows = which.nonzero().squeeze(1) if which.dtype == torch.bool else which
        chosen: dict[str, Any] = {
            f.name: value[rows.to(value.device)]
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        positions = rows.tolist()
        return replace(
            self,
            **chosen,
            ids=[self.ids[i] for i in positions],
            patients=[self.patients[i] for i in positions],
            side={k: v[rows.to(v.device)] for k, v in self.side.items()},
        )

    def part(self, rows: slice) -> Self:
        """Some neighbours of the batch, which share its memory."""
        tensors: dict[str, Any] = {
            f.name: value[rows]
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(
            self,
            **tensors,
            ids=self.ids[rows],
            patients=self.patients[rows],
            side={k: v[rows] for k, v in self.side.items()},
        )

    @classmethod
    def concatenate(cls, batches: Sequence[Self]) -> Self:
        """One batch of all samples; records of unequal length are padded with zeros."""
        if len(batches) == 1:
            return batches[0]
        samples = max(b.signals.shape[-1] for b in batches)
        first = batches[0]

        def padded(tensor: Tensor) -> Tensor:
            missing = samples - tensor.shape[-1]
            return torch.nn.functional.pad(tensor, (0, missing))

        lengths = [b.lengths for b in batches if b.lengths is not None]
        masks = [b.mask for b in batches if b.mask is not None]
        beside = [b.side_features for b in batches if b.side_features is not None]
        return replace(
            first,
            signals=torch.cat([padded(b.signals) for b in batches]),
            labels=torch.cat([b.labels for b in batches]),
            index=torch.cat([b.index for b in batches]),
            ids=[i for b in batches for i in b.ids],
            patients=[p for b in batches for p in b.patients],
            weights=torch.cat([b.weights for b in batches]),
            lengths=torch.cat(lengths) if lengths else None,
            mask=torch.cat([padded(m) for m in masks]) if masks else None,
            side={k: torch.cat([b.side[k] for b in batches]) for k in first.side},
            side_features=torch.cat(beside) if beside else None,
        )
