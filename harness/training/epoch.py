"""One epoch: which samples, in which order, what was kept of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.data.augment import augment_batch
from harness.data.batch import Batch
from harness.data.order import batches, bucketed_batches, epoch_order
from harness.errors import PluginError
from harness.options import RandomCrop
from harness.training.distributed import Processes
from harness.training.selection import Packer, class_counts, kept_mask, kept_of_all
from harness.training.training_scores import no_decisions

if TYPE_CHECKING:
    from harness.training.fit import Fit
    from harness.training.run import Run


_COUNTS = (
    "phase",
    "seen",
    "scored",
    "kept",
    "backpropagated",
    "steps",
    "skipped_batches",
    "losses",
    "seen_by_class",
    "kept_by_class",
    "kept_records",
    "decisions",
    "sums",
)


@dataclass(frozen=True)
class Totals:
    """Sums of an epoch; losses are those of the samples that were trained on."""

    scored: int
    kept: int
    backpropagated: int
    losses: float
    seen_by_class: list[float]
    kept_by_class: list[float]
    kept_records: Tensor
    """bool, shape (records,): those that any of them kept."""
    decisions: list[int]
    sums: dict[str, list[float]]

    @property
    def means(self) -> dict[str, float]:
        """Of what strategies noted of the samples that were trained on, by name."""
        noted = {name: of for name, of in sorted(self.sums.items()) if of[1]}
        return {name: total / samples for name, (total, samples) in noted.items()}

    @classmethod
    def added(cls, parts: Sequence[Self]) -> Self:
        """The sums of some sums."""

        def added(values: Sequence[Any]) -> Any:
            if isinstance(values[0], Tensor):
                return torch.stack(list(values)).any(0)
            if isinstance(values[0], list):
                return [sum(of_class) for of_class in zip(*values, strict=True)]
            if isinstance(values[0], dict):
                # A process without a sample has noted nothing.
                there = {name for value in values for name in value}
                return {n: added([v[n] for v in values if n in v]) for n in there}
            return sum(values)

        names = [f.name for f in fields(cls)]
        return cls(**{n: added([getattr(p, n) for p in parts]) for n in names})


class Epoch:
    """The state of the epoch under way; a checkpoint may fall inside it.

    Attributes
    ----------
    indices, weights
        The samples of this epoch and what their losses are multiplied by.
    seen
        Samples that came by, on all processes.
    scored, kept
        Samples that were judged by a forward-only pass, and that were trained on, by
        this process.
    kept_records
        bool, shape (records,): positions in `run.train` that this process has kept.
    step_losses
        Positions and losses of the step under way, as training forwards told them;
        empty between steps.
    sums
        What strategies noted of the samples that were trained on: the sum of its values
        and their number, float64, shape (2,), by name.
    """

    def __init__(self, run: Run, most: int | None = None) -> None:
        self.phase: str = run.hook.phase(run=run)
        with run.meter.outside("select_epoch"):
            selected = run.hook.select_epoch(run=run)
        self.indices, self.weights = _checked(selected, len(run.train))
        chosen = [self.phase, self.indices.tobytes(), _bytes(self.weights)]
        run.processes.check_same("the epoch's records", chosen)
        self.seen = self.scored = self.kept = 0
        self.backpropagated = self.steps = self.skipped_batches = 0
        self.losses = torch.zeros((), dtype=torch.float64, device=run.device)
        classes = len(run.classes)
        self.seen_by_class = torch.zeros(classes, device=run.device)
        self.kept_by_class = torch.zeros(classes, device=run.device)
        self.kept_records = torch.zeros(
            len(run.train), dtype=torch.bool, device=run.device
        )
        self.step_losses: list[tuple[Tensor, Tensor]] = []
        self.decisions = no_decisions(classes, run.device)
        self.sums: dict[str, Tensor] = {}
        self.packer = Packer(run.cell.budget.batch_size)
        self._most = most
        self._seed = run.cell.seed
        self._path = run.loops.path
        self._batch_size = run.cell.budget.batch_size
        self._lengths = run.train.lengths if run.train.window is None else None

    @cached_property
    def batches(self) -> list[NDArray[np.int64]]:
        """Positions in `run.train` of each batch: a function of seed and place only."""
        order = self.indices[epoch_order(len(self.indices), self._seed, *self._path)]
        order = order[: self._most]
        if self._lengths is None:
            return batches(order, self._batch_size)
        return bucketed_batches(
            order, self._lengths, self._batch_size, self._seed, *self._path
        )

    @property
    def left_out(self) -> Tensor:
        """Positions in `run.train` that `select_epoch` left out, shape (n,)."""
        is_out = torch.ones(len(self.kept_records), dtype=torch.bool)
        is_out[torch.from_numpy(self.indices)] = False
        return is_out.nonzero().squeeze(1)

    @property
    def order_hash(self) -> str:
        """Of the first batch: equal in two epochs only if shuffling were forgotten."""
        first = self.batches[0] if self.batches else np.empty(0, np.int64)
        return hashlib.sha256(first.tobytes()).hexdigest()[:8]

    def note_means(self, values: Mapping[str, Tensor]) -> None:
        """Add values of samples, shape (n,) each, to what their means are made of.

        Raises
        ------
        PluginError
            If values aren't one a sample.
        """
        for name, noted in values.items():
            if noted.ndim != 1:
                raise PluginError(
                    f"run.log_mean({name}=...): give one value a sample, shape (n,), "
                    f"not {tuple(noted.shape)}"
                )
            total = noted.detach().double().sum()
            both = torch.stack([total, total.new_tensor(len(noted))])
            before = self.sums.get(name, torch.zeros_like(both))
            # What was restored from a checkpoint lies in main memory.
            self.sums[name] = before.to(both.device) + both

    def totals(self, processes: Processes) -> Totals:
        """What all processes have done together."""
        mine = Totals(
            self.scored,
            self.kept,
            self.backpropagated,
            float(self.losses),
            self.seen_by_class.tolist(),
            self.kept_by_class.tolist(),
            self.kept_records.cpu(),
            self.decisions.tolist(),
            {name: both.tolist() for name, both in self.sums.items()},
        )
        return Totals.added(processes.gather(mine))

    def state_dict(self) -> dict[str, Any]:
        """Plain data and tensors."""
        weights = None if self.weights is None else torch.from_numpy(self.weights)
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "indices": torch.from_numpy(self.indices),
            "weights": weights,
            "packer": self.packer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `state_dict` gave it."""
        for name, value in state.items():
            if name in ("indices", "weights"):
                setattr(self, name, None if value is None else value.numpy())
            elif name == "packer":
                self.packer.load_state_dict(value)
            elif isinstance(value, Tensor):
                getattr(self, name).copy_(value)
            else:
                setattr(self, name, value)
        self.__dict__.pop("batches", None)


def _bytes(weights: NDArray[np.float32] | None) -> bytes | None:
    return None if weights is None else weights.tobytes()


def _checked(
    selected: Any, records: int
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
    """The hook's selection, or everything.

    Raises
    ------
    PluginError
        If it is no selection of training records.
    """
    if selected is None:
        return np.arange(records), None
    try:
        indices, weights = selected
        indices = np.asarray(indices, dtype=np.int64)
        weights = None if weights is None else np.asarray(weights, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise PluginError(
            f"select_epoch must return (indices, weights): {error}"
        ) from None
    if indices.ndim != 1 or (
        len(indices) and not 0 <= indices.min() <= indices.max() < records
    ):
        raise PluginError(
            f"select_epoch: indices must be a row of numbers below {records}"
        )
    if weights is not None and weights.shape != indices.shape:
        raise PluginError(
            f"select_epoch: {len(indices)} indices, weights of shape {weights.shape}"
        )
    return indices, weights


def train_epoch(run: Run, fit: Fit, epoch: Epoch) -> None:
    """All batches of the epoch that aren't done yet."""
    checkpoint = run.saver.inside_epoch
    for i in run.loops.iterate("batch", lambda: len(epoch.batches), checkpoint):
        run.seed_torch()
        with run.clock.measure("data_wait", on_device=False):
            whole = _batch(run, epoch, i)
            batch = run.own_share(whole)
        fit.rate.apply(run.optimizer, fit.progress(epoch, run.epoch))
        with run.meter.step(epoch.phase, size=batch.signals.numel()):
            kept = _train_on_kept(run, epoch, whole, batch)
        # Notes on all records of the split are no part of a step, nor of its memory.
        epoch.kept_records[kept] = True
        _note_losses(run, epoch)
        epoch.seen += len(whole)
    rest = epoch.packer.rest()
    if rest is not None:
        run.seed_torch()
        rest = run.own_share(rest)
        with run.meter.step(epoch.phase, size=rest.signals.numel()):
            run.train_on(rest, dropped=True)
        _note_losses(run, epoch)
    run.noted_losses.share(run.processes)


def _note_losses(run: Run, epoch: Epoch) -> None:
    """Lay down what the training forwards of the last step told of their records."""
    for index, losses in epoch.step_losses:
        run.noted_losses.note(index, losses)
    epoch.step_losses.clear()


def _batch(run: Run, epoch: Epoch, i: int) -> Batch:
    """The i-th batch of all processes, cropped, weighted and augmented."""
    positions = epoch.batches[i]
    augment = run.cell.budget.augment
    crop = any(isinstance(a, RandomCrop) for a in augment)
    batch = run.train.batch(positions, crop=run.rng("crop") if crop else None)
    if epoch.weights is not None:
        by_record = np.zeros(len(run.train), dtype=np.float32)
        by_record[epoch.indices] = epoch.weights
        batch.weights = torch.from_numpy(by_record[positions])
    return augment_batch(batch, augment, len(run.classes), run.rng("augment"))


def _train_on_kept(run: Run, epoch: Epoch, whole: Batch, batch: Batch) -> Tensor:
    """Ask which samples to keep, and train on these: now, or once a batch is full.

    `batch` is what this process has of `whole`, the batch of all processes. Returns
    the positions of what it keeps, shape (kept,).
    """
    epoch.seen_by_class += class_counts(batch.labels, len(run.classes))
    mask = kept_mask(run, batch)
    kept = batch if mask is None else batch.select(mask)
    epoch.kept += len(kept)
    epoch.kept_by_class += class_counts(kept.labels, len(run.classes))
    pooled = kept_of_all(run, whole, mask, kept) if run.dropping.pack else None
    if pooled is not None:
        for full in epoch.packer.add(pooled):
            run.train_on(run.own_share(full), dropped=True)
    elif not run.train_on(kept, of=len(whole), dropped=mask is not None):
        epoch.skipped_batches += 1
    return kept.index
