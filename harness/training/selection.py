"""What the core does with a batch of which only some samples are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harness.data.batch import Batch
from harness.errors import PluginError
from harness.options import CutMix, Mixup

if TYPE_CHECKING:
    from harness.training.epoch import Epoch, Totals
    from harness.training.run import Run


def kept_mask(run: Run, batch: Batch) -> Tensor | None:
    """The strategy's choice, filled up to `min_keep`; None if it keeps everything.

    Raises
    ------
    PluginError
        If the hook returns anything but a bool mask, shape (batch,).
    """
    mask = _chosen(run, batch) if len(batch) else None
    if run.dropping.min_keep == 0:
        return mask
    return _filled_up(run, mask, len(batch))


def _chosen(run: Run, batch: Batch) -> Tensor | None:
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
    return mask


def _filled_up(run: Run, mask: Tensor | None, size: int) -> Tensor | None:
    """The own part of the mask of all processes, filled up to `min_keep`."""
    scores = run.last_scores
    ease = None if scores is None else scores.true_class_probability
    told = run.processes.gather((_on_cpu(mask), _on_cpu(ease), size))
    if all(m is None for m, _, _ in told):
        return None
    whole = _joined([(m, n) for m, _, n in told])
    missing = min(run.dropping.min_keep, len(whole)) - int(whole.sum())
    if missing > 0:
        eases = [e for _, e, n in told if n]
        whole = _filled(run, whole, eases, missing)
    mine = whole[run.processes.share(len(whole))]
    return mine.to(run.device)


def _on_cpu(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.cpu()


def _joined(parts: Sequence[tuple[Tensor | None, int]]) -> Tensor:
    """One mask of all processes'; where there is none, everything is kept."""
    return torch.cat(
        [torch.ones(n, dtype=torch.bool) if m is None else m for m, n in parts]
    )


def _filled(
    run: Run, mask: Tensor, eases: Sequence[Tensor | None], missing: int
) -> Tensor:
    """`mask` with the hardest of the dropped samples added, or random ones where the
    strategy did not score them.
    """
    known = [ease for ease in eases if ease is not None]
    if len(known) == len(eases):
        ease = torch.cat(known)
    else:
        ease = torch.from_numpy(run.rng("min_keep").random(len(mask)))
    ease[mask] = torch.inf
    filled = mask.clone()
    filled[ease.argsort(stable=True)[:missing]] = True
    return filled


def kept_of_all(
    run: Run, whole: Batch, mask: Tensor | None, kept: Batch
) -> Batch | None:
    """What all processes keep of a batch; None where nobody chose.

    Parameters
    ----------
    whole
        The batch of all processes.
    mask, kept
        What this process chose of its part.
    """
    if run.processes.count == 1:
        return None if mask is None else kept
    own = whole.signals[run.processes.share(len(whole))]
    told = run.processes.gather((_on_cpu(mask), len(own)))
    if all(m is None for m, _ in told):
        return None
    return whole.select(_joined(told))


def class_counts(labels: Tensor, classes: int) -> Tensor:
    """How much of each class there is, shape (classes,); mixed ones in shares."""
    if labels.ndim == 2:
        return labels.sum(0)
    return torch.bincount(labels, minlength=classes).float()


def kept_figures(run: Run, epoch: Epoch, totals: Totals) -> dict[str, Any]:
    """What an epoch has kept, for its row of the history.

    Shares are of all training records that it could have seen: those that were left
    out before the epoch and those of skipped batches included.
    """
    left_out = epoch.left_out
    out_by_class = class_counts(run.train.labels[left_out], len(run.classes))
    by_class = list(zip(run.classes, totals.kept_by_class, strict=True))
    there = [
        seen + out
        for seen, out in zip(totals.seen_by_class, out_by_class.tolist(), strict=True)
    ]
    of_all = epoch.seen + len(left_out)
    mixes = any(isinstance(a, Mixup | CutMix) for a in run.cell.budget.augment)
    return {
        "kept": totals.kept,
        "kept_share": totals.kept / of_all if of_all else 0.0,
        # Mixed samples count by their shares.
        "kept_by_class": {n: k if mixes else round(k) for n, k in by_class},
        "kept_share_by_class": {
            name: kept / all_ if all_ else None
            for (name, kept), all_ in zip(by_class, there, strict=True)
        },
    }


class Packer:
    """Collects kept samples until they make a full batch."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._waiting: Batch | None = None

    def add(self, batch: Batch) -> Iterator[Batch]:
        """Take samples in; give out each batch that is full."""
        if not len(batch):
            return
        # What was restored from a checkpoint lies in main memory.
        waiting = self._waiting and self._waiting.to(batch.signals.device)
        parts = [waiting, batch] if waiting is not None else [batch]
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
