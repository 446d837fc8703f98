"""What the core does with a batch of which only some samples are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harness.data.batch import Batch
from harness.errors import PluginError

if TYPE_CHECKING:
    from harness.training.run import Run


def kept_mask(run: Run, batch: Batch) -> Tensor | None:
    """The strategy's choice, filled up to `min_keep`; None if it keeps everything.

    Raises
    ------
    PluginError
        If the hook returns anything but a bool mask, shape (batch,).
    """
    run.last_scores = None
    mask: Any = run.hook.select_samples(run=run, batch=batch)
    if mask is None:
        return None
    if (
        not isinstance(mask, Tensor)
        or mask.dtype != torch.bool
        or mask.shape != (len(batch),)
    ):
        got = (
            f"{mask.dtype}, shape {tuple(mask.shape)}"
            if isinstance(mask, Tensor)
            else type(mask)
        )
        raise PluginError(
            "select_samples must return a bool tensor of shape "
            f"({len(batch)},), got {got}"
        )
    if run.dropping.min_keep == 0:
        return mask
    missing = min(run.dropping.min_keep, len(batch)) - int(mask.sum())
    return mask if missing <= 0 else _filled(run, mask, missing)


def _filled(run: Run, mask: Tensor, missing: int) -> Tensor:
    """`mask` with the hardest of the dropped samples added, or random ones where the
    strategy did not score them.
    """
    if run.last_scores is not None:
        ease = run.last_scores.true_class_probability.clone()
    else:
        drawn = run.rng("min_keep").random(len(mask))
        ease = torch.from_numpy(drawn).to(mask.device)
    ease[mask] = torch.inf
    filled = mask.clone()
    filled[ease.argsort(stable=True)[:missing]] = True
    return filled


class Packer:
    """Collects kept samples until they make a full batch."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._waiting: Batch | None = None

    def add(self, batch: Batch) -> Iterator[Batch]:
        """Take samples in; give out each batch that is full."""
        if not len(batch):
            return
        parts = [self._waiting, batch] if self._waiting is not None else [batch]
        joined = Batch.concatenate(parts)
        size = self._batch_size
        while len(joined) >= size:
            rows = torch.arange(len(joined))
            full, joined = joined.select(rows[:size]), joined.select(rows[size:])
            yield full
        self._waiting = joined if len(joined) else None

    def rest(self) -> Batch | None:
        """What is left at the end of an epoch."""
        rest, self._waiting = self._waiting, None
        return rest

    def state_dict(self) -> dict[str, Any] | None:
        """Plain data and tensors."""
        return None if self._waiting is None else asdict(self._waiting)

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """As `state_dict` gave it."""
        self._waiting = None if state is None else Batch(**state)
