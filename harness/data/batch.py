"""A batch of ECG records on a device, with age and sex as numbers where asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from harness.errors import PluginError


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
        `harness.data.batch`; None where the suite asks for no side features.
    leads
        Names of the leads, in the order of the rows of `signals`.
    views
        The same records through other leads, float32, shape (batch, leads, samples),
        by those leads: what required cells see; of training and validation records.
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
    leads: tuple[str, ...] = ()
    views: dict[tuple[str, ...], Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.signals.shape[0])

    def to(self, device: torch.device) -> Self:
        """The batch with its tensors on `device`."""
        return self._changed(lambda tensor: tensor.to(device, non_blocking=True))

    def select(self, which: Tensor) -> Self:
        """The samples of a bool mask, shape (batch,), or of positions, shape (n,)."""
        rows = which.nonzero().squeeze(1) if which.dtype == torch.bool else which
        positions = rows.tolist()
        return replace(
            self._changed(lambda tensor: tensor[rows.to(tensor.device)]),
            ids=[self.ids[i] for i in positions],
            patients=[self.patients[i] for i in positions],
        )

    def part(self, rows: slice) -> Self:
        """Some neighbours of the batch, which share its memory."""
        return replace(
            self._changed(lambda tensor: tensor[rows]),
            ids=self.ids[rows],
            patients=self.patients[rows],
        )

    def _changed(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The batch with each of its tensors changed."""
        tensors: dict[str, Any] = {
            f.name: change(value)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(
            self,
            **tensors,
            side={name: change(values) for name, values in self.side.items()},
            views={leads: change(signals) for leads, signals in self.views.items()},
        )

    def view(self, leads: Sequence[str]) -> Self:
        """The batch seen through other leads: the same crop, mix and samples.

        Parameters
        ----------
        leads
            The batch's own, or those of a cell that this one requires.

        Raises
        ------
        PluginError
            If the batch wasn't loaded with these leads.
        """
        wanted = tuple(leads)
        if wanted == self.leads:
            return self
        if wanted not in self.views:
            known = "; ".join(", ".join(names) for names in (self.leads, *self.views))
            raise PluginError(
                f"batch.view({', '.join(wanted)}): the batch has no such view, only of "
                f"{known}: leads other than a cell's own are loaded for the cells that "
                "it requires, for training and validation"
            )
        return replace(self, signals=self.views[wanted], leads=wanted, views={})

    def step_mask(self, steps: int) -> Tensor | None:
        """Which of a network's steps hold signal: bool, shape (batch, steps).

        None where all records have one length. A step holds signal if its first sample
        does.

        Parameters
        ----------
        steps
            Into which the network divides a record, evenly.
        """
        if self.lengths is None:
            return None
        return step_mask(self.lengths, self.signals.shape[-1], steps)

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
            views={
                leads: torch.cat([padded(b.views[leads]) for b in batches])
                for leads in first.views
            },
        )


def step_mask(lengths: Tensor, samples: int, steps: int) -> Tensor:
    """Which steps of records hold signal, of `samples` each with their padding: bool,
    shape (batch, steps).
    """
    first = torch.arange(steps, device=lengths.device) * (samples / steps)
    mask: Tensor = first.unsqueeze(0) < lengths.unsqueeze(1)
    return mask


SIDE_FEATURES = ("age", "female", "male", "age missing", "sex missing")
"""What the columns of `side_features` hold."""

YEARS = 100.0
"""Age is in units of that many years."""
UNKNOWN_AGE = 0.6037
"""In those units; like the two below, as the authors' preprocessing fills it in."""
UNKNOWN_FEMALE = 0.4714
UNKNOWN_MALE = 0.5286


def side_features(side: Mapping[str, Tensor]) -> Tensor | None:
    """Age and sex in the order of `SIDE_FEATURES`: finite, float32, shape (batch, 5).

    Parameters
    ----------
    side
        `age` in years and `sex` (0 male, 1 female), one of them or both, shape (batch,)
        each, NaN where unknown. All of one that isn't there is unknown.

    Returns
    -------
    Tensor or None
        None where neither is there.
    """
    known = [side[name] for name in ("age", "sex") if name in side]
    if not known:
        return None
    unknown = torch.full_like(known[0], torch.nan)
    age, sex = side.get("age", unknown), side.get("sex", unknown)
    no_age, no_sex = age.isnan(), sex.isnan()
    columns = (
        (age / YEARS).masked_fill(no_age, UNKNOWN_AGE),
        sex.masked_fill(no_sex, UNKNOWN_FEMALE),
        (1 - sex).masked_fill(no_sex, UNKNOWN_MALE),
        no_age,
        no_sex,
    )
    return torch.stack([column.float() for column in columns], dim=1)
