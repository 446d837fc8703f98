"""What a forward gives and what an epoch leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Outputs:
    """The outputs of one forward.

    Attributes
    ----------
    logits
        Shape (batch, classes), or (batch, classes, steps).
    step_mask
        bool, shape (batch, steps): True on steps that hold signal; None where all do,
        or where logits have no steps.
    features
        Shape (batch, channels, steps) each: what the submodules gave whose features a
        strategy asked for, by name (`run.keep_features`).
    """

    logits: Tensor
    step_mask: Tensor | None = None
    features: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """What a forward-only scoring pass tells of each sample of a batch.

    Attributes
    ----------
    logits
        Shape (batch, classes), or (batch, classes, steps).
    losses
        Shape (batch,): what would be backpropagated, extra losses included; NaN where
        `run.score` was asked to leave them out.
    true_class_probability
        Shape (batch,): probability of the true class; for multi-label targets the
        mean over classes of the probability given to the true value.
    correct
        bool, shape (batch,): the most probable class is the true one; for multi-label
        targets, every class is on the true side of one half.
    """

    logits: Tensor
    losses: Tensor
    true_class_probability: Tensor
    correct: Tensor

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """The scores of all samples of a batch that went through in parts."""
        if len(parts) == 1:
            return parts[0]
        names = [f.name for f in fields(cls)]
        return cls(**{n: torch.cat([getattr(p, n) for p in parts]) for n in names})


@dataclass(frozen=True)
class EpochReport:
    """One line of the history: an epoch, its validation and its cost so far."""

    epoch: int
    phase: str
    loss: float | None
    validation: dict[str, Any]
    kept_share: float
    learning_rate: float
    row: dict[str, Any] = field(default_factory=dict)
