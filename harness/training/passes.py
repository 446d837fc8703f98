"""Sending batches forward and gradients back: the part of a run that computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from harness.cell import Cell
from harness.data.batch import Batch
from harness.errors import PluginError
from harness.options import Dropping
from harness.plugin import Task
from harness.training.batchnorm import kept_buffers
from harness.training.distributed import Exchange, Processes
from harness.training.forward import send, submodule
from harness.training.loops import Loops
from harness.training.losses import is_correct, true_class_probability
from harness.training.outputs import Outputs, Scores
from harness.training.training_scores import add_decisions

if TYPE_CHECKING:
    from harness.training.epoch import Epoch


class Passes:
    """Forward, scoring, backward and step, on a model and an optimizer.

    Attributes
    ----------
    model, optimizer
        Made by the hooks `build_model` and `build_optimizer`.
    tally
        What the epoch under way has seen, scored and kept; None between epochs.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    cell: Cell
    task: Task
    hook: Any
    dropping: Dropping
    loops: Loops

    def __init__(self, accelerator: Accelerator, processes: int) -> None:
        self.accelerator = accelerator
        self.processes = Processes(accelerator, processes)
        self.device: torch.device = accelerator.device
        self.tally: Epoch | None = None
        self.last_scores: Scores | None = None
        self._divisor: int | None = None
        self._features: tuple[str, ...] = ()

    def forward(self, batch: Batch) -> Outputs:
        """The model's outputs for a batch, in its present mode.

        A model that takes `side` is handed the batch's side features, if it has any.

        Raises
        ------
        CellError
            If records have lengths and the model takes none.
        """
        return self._send(self.model, batch, self._features)

    def _send(
        self, model: nn.Module, batch: Batch, features: Sequence[str] = ()
    ) -> Outputs:
        self.loops.ticks += 1
        with self.accelerator.autocast():
            return send(model, batch, features)

    def keep_features(self, *names: str) -> None:
        """Have the outputs of each forward of the model hold features, too.

        Parameters
        ----------
        names
            Of submodules that give (batch, channels, steps), as those that a model
            lists in `features`.

        Raises
        ------
        PluginError
            If the model has no submodule of that name.
        """
        for name in names:
            submodule(self.model, name)
        self._features = tuple(dict.fromkeys([*self._features, *names]))

    def score(
        self,
        batch: Batch,
        mode: Literal["eval", "train"] = "eval",
        *,
        update_buffers: bool = False,
        losses: bool = True,
    ) -> Scores:
        """A metered forward-only pass, to judge the samples of a batch.

        Parameters
        ----------
        batch
            As given to `select_samples`.
        mode
            In which the model scores: `train` has dropout and batch statistics.
        update_buffers
            Let the pass move BatchNorm's running statistics (in mode `train`).
        losses
            Whether losses are needed: those that other strategies add may cost a
            forward of their own, as a teacher's.
        """
        was_training = self.model.training
        self.model.train(mode == "train")
        keeps = mode == "train" and not update_buffers
        with torch.no_grad(), kept_buffers(self.model) if keeps else nullcontext():
            scores = [self._score(part, losses) for part in self._split(batch)]
        self.model.train(was_training)
        self.last_scores = Scores.concatenate(scores)
        if self.tally is not None:
            self.tally.scored += len(batch)
        return self.last_scores

    def _score(self, batch: Batch, needs_losses: bool) -> Scores:
        outputs = self.forward(batch)
        if needs_losses:
            losses = self._losses(batch, outputs)
        else:
            losses = torch.full((len(batch),), torch.nan, device=self.device)
        probability = self.hook.predict(run=self, batch=batch, outputs=outputs)
        truth = true_class_probability(probability, batch.labels, self.task)
        correct = is_correct(probability, batch.labels, self.task)
        return Scores(outputs.logits, losses, truth, correct)

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """The batch in parts of at most `budget.micro_batch` samples.

        Losses that are backpropagated while they are gone through are averaged over
        the whole batch: one `step` after them all is that of the whole batch.
        """
        if self.cell.budget.micro_batch is None:
            yield batch
            return
        before = self._divisor
        self._divisor = before or self.processes.total(len(batch))
        try:
            yield from self._split(batch)
        finally:
            self._divisor = before

    def _split(self, batch: Batch) -> list[Batch]:
        size = self.cell.budget.micro_batch or len(batch)
        if len(batch) <= size:
            return [batch]
        starts = range(0, len(batch), size)
        return [batch.part(slice(start, start + size)) for start in starts]

    def losses(self, batch: Batch) -> Tensor:
        """Forward and all losses: one value a sample, weighted; shape (batch,)."""
        return self._losses(batch, self.forward(batch)) * batch.weights

    def _losses(self, batch: Batch, outputs: Outputs) -> Tensor:
        losses: Tensor = self.hook.sample_losses(run=self, batch=batch, outputs=outputs)
        for extra in self.hook.extra_losses(run=self, batch=batch, outputs=outputs):
            losses = losses + extra
        if losses.shape != (len(batch),):
            raise PluginError(
                f"losses must have one value a sample, shape ({len(batch)},), "
                f"got {tuple(losses.shape)}"
            )
        if self.tally is not None and torch.is_grad_enabled():
            add_decisions(self.tally.decisions, outputs, batch.labels, self.task)
            self.tally.step_losses.append((batch.index, losses.detach()))
        return losses

    def backward(self, losses: Tensor) -> None:
        """Backpropagate the mean of per-sample losses, shape (batch,).

        The mean is over the samples of all processes that share the cell; `step` adds
        up what each of them found.
        """
        divisor = self._divisor or self.processes.total(len(losses))
        mean = losses.mean() if divisor == len(losses) else losses.sum() / divisor
        self.accelerator.backward(mean)
        if self.tally is not None:
            self.tally.losses += losses.detach().sum()
            self.tally.backpropagated += len(losses)

    def step(self) -> None:
        """Clip, step the optimizer, let strategies re-apply masks, clear gradients."""
        self.processes.exchange(Exchange.STEP)
        self._step()

    def _step(self) -> None:
        trainable = [p for g in self.optimizer.param_groups for p in g["params"]]
        self.processes.sum_gradients(trainable)
        limit = self.cell.budget.clip_norm
        if limit is not None and self.accelerator.scaler is not None:
            # accelerate's own way goes through the optimizers of earlier rounds, too.
            inner = getattr(self.optimizer, "optimizer", self.optimizer)
            self.accelerator.scaler.unscale_(inner)
            nn.utils.clip_grad_norm_(trainable, limit)
        elif limit is not None:
            self.accelerator.clip_grad_norm_(trainable, limit)
        self.optimizer.step()
        self.hook.after_step(run=self)
        self.optimizer.zero_grad(set_to_none=True)
        if self.tally is not None:
            self.tally.steps += 1

    def train_on(
        self, batch: Batch, of: int | None = None, *, dropped: bool = False
    ) -> bool:
        """One training step of the hooks; False if no process has a sample for it.

        Parameters
        ----------
        batch
            What this process trains on; it may be empty.
        of
            Number of samples that all processes' were kept out of.
        dropped
            True where a strategy chose what to keep: the settings of `Dropping` hold.
        """
        samples = self.processes.exchange(Exchange.ENTER, len(batch))
        if not any(samples):
            return False
        average_over_all = self.dropping.average_over == "batch" and of is not None
        self._divisor = of if average_over_all else None
        frozen = dropped and self.dropping.batchnorm == "full"
        with kept_buffers(self.model) if frozen else nullcontext():
            if len(batch):
                self.hook.training_step(run=self, batch=batch)
            else:
                self._follow()
        if len(batch) and not all(samples):
            self.processes.exchange(Exchange.LEAVE)
        self._divisor = None
        return True

    def _follow(self) -> None:
        """Take the steps of the others, without a sample of one's own."""
        if self.accelerator.scaler is not None:
            # It learns its scale from the first loss, and there is none here.
            self.accelerator.scaler.scale(torch.zeros((), device=self.device))
        for what in self.processes.follow():
            if what is Exchange.STEP:
                self._step()

    def own_share(self, batch: Batch) -> Batch:
        """The part of a batch that is this process', on its device."""
        if self.processes.count > 1:
            batch = batch.part(self.processes.share(len(batch)))
        return batch.to(self.device)
