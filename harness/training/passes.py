"""Sending batches forward and gradients back: the part of a run that computes."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from harness.cell import Cell
from harness.data.batch import Batch
from harness.errors import CellError, PluginError
from harness.options import Dropping
from harness.plugin import Task
from harness.training.buffers import kept_buffers
from harness.training.losses import is_correct, step_mask, true_class_probability
from harness.training.outputs import Outputs, Scores
from harness.training.signature import takes_lengths

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

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.device: torch.device = accelerator.device
        self.tally: Epoch | None = None
        self.last_scores: Scores | None = None
        self._divisor: int | None = None

    def forward(self, batch: Batch) -> Outputs:
        """The model's outputs for a batch, in its present mode.

        Raises
        ------
        CellError
            If records have lengths and the model takes none.
        """
        with self.accelerator.autocast():
            if batch.lengths is None:
                return Outputs(self.model(batch.signals).float())
            if not takes_lengths(self.model):
                raise CellError(
                    f"{type(self.model).__name__} takes no lengths, so it can't be "
                    'trained on whole records; set seconds to a number, not "whole"'
                )
            logits = self.model(batch.signals, batch.lengths).float()
        if logits.ndim == 2:
            return Outputs(logits)
        mask = step_mask(batch.lengths, batch.signals.shape[-1], logits.shape[-1])
        return Outputs(logits, step_mask=mask)

    def score(
        self,
        batch: Batch,
        mode: Literal["eval", "train"] = "eval",
        *,
        update_buffers: bool = False,
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
        """
        was_training = self.model.training
        self.model.train(mode == "train")
        keeps = mode == "train" and not update_buffers
        with torch.no_grad(), kept_buffers(self.model) if keeps else nullcontext():
            outputs = self.forward(batch)
            losses = self._losses(batch, outputs)
            probability = self.hook.predict(run=self, batch=batch, outputs=outputs)
        self.model.train(was_training)
        truth = true_class_probability(probability, batch.labels, self.task)
        correct = is_correct(probability, batch.labels, self.task)
        self.last_scores = Scores(outputs.logits, losses, truth, correct)
        if self.tally is not None:
            self.tally.scored += len(batch)
        return self.last_scores

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
        return losses

    def backward(self, losses: Tensor) -> None:
        """Backpropagate the mean of per-sample losses, shape (batch,)."""
        divisor = self._divisor or len(losses)
        mean = losses.mean() if divisor == len(losses) else losses.sum() / divisor
        self.accelerator.backward(mean)
        if self.tally is not None:
            self.tally.losses += losses.detach().sum()
            self.tally.backpropagated += len(losses)

    def step(self) -> None:
        """Clip, step the optimizer, let strategies re-apply masks, clear gradients."""
        limit = self.cell.budget.clip_norm
        if limit is not None:
            trainable = [p for g in self.optimizer.param_groups for p in g["params"]]
            self.accelerator.clip_grad_norm_(trainable, limit)
        self.optimizer.step()
        self.hook.after_step(run=self)
        self.optimizer.zero_grad(set_to_none=True)
        if self.tally is not None:
            self.tally.steps += 1

    def train_on(
        self, batch: Batch, of: int | None = None, *, dropped: bool = False
    ) -> None:
        """One training step of the hooks.

        Parameters
        ----------
        batch
            What is trained on.
        of
            Number of samples that it was kept out of.
        dropped
            True where a strategy chose what to keep: the settings of `Dropping` hold.
        """
        average_over_all = self.dropping.average_over == "batch" and of is not None
        self._divisor = of if average_over_all else None
        frozen = dropped and self.dropping.batchnorm == "full"
        with kept_buffers(self.model) if frozen else nullcontext():
            self.hook.training_step(run=self, batch=batch)
        self._divisor = None
