"""What the core does where no strategy says otherwise: a plugin, asked last.

The hooks of a run are these defaults with the cell's strategies over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy
import torch
from torch import Tensor, nn

from harness.data.batch import Batch
from harness.hooks import PROJECT, PlanHooks, TrainingHooks, hookimpl
from harness.plugin import Strategy
from harness.training.losses import per_sample_loss, probabilities, weight_of
from harness.training.optimizer import build_optimizer
from harness.training.outputs import EpochReport, Outputs

if TYPE_CHECKING:
    from harness.training.run import Run


class Defaults:
    """Plain supervised training on the suite's budget."""

    @hookimpl(trylast=True)
    def build_model(self, run: Run) -> nn.Module:
        """The cell's model."""
        return run.new_model()

    @hookimpl(trylast=True)
    def build_optimizer(self, run: Run) -> torch.optim.Optimizer:
        """The budget's, over what is trainable of the model and its additions."""
        return build_optimizer(run.cell.budget, run.parameters())

    @hookimpl(trylast=True)
    def train(self, run: Run) -> bool:
        """One fit."""
        run.fit()
        return True

    @hookimpl(trylast=True)
    def phase(self, run: Run) -> str:
        """All epochs alike."""
        return "train"

    @hookimpl(trylast=True)
    def training_step(self, run: Run, batch: Batch) -> bool:
        """Forward and backward, in parts where the budget says so, and a step."""
        for part in run.parts(batch):
            run.backward(run.losses(part))
        run.step()
        return True

    @hookimpl(trylast=True)
    def sample_losses(self, run: Run, batch: Batch, outputs: Outputs) -> Tensor:
        """Cross-entropy, or binary cross-entropy averaged over classes."""
        weight = run.cell.budget.negative_weight
        losses = per_sample_loss(outputs, batch.labels, run.task, weight)
        if run.class_weights is None:
            return losses
        return losses * weight_of(batch.labels, run.class_weights)

    @hookimpl(trylast=True)
    def should_stop(self, run: Run, report: EpochReport) -> bool:
        """Early stopping, where the budget declares it."""
        rule = run.cell.budget.early_stopping
        if rule is None or run.fitted is None:
            return False
        return run.fitted.epochs_without_gain >= rule.patience

    @hookimpl(trylast=True)
    def predict(self, run: Run, batch: Batch, outputs: Outputs) -> Tensor:
        """Softmax or sigmoid, averaged over valid steps."""
        return probabilities(outputs, run.task)


def plugin_manager(strategies: Sequence[Strategy]) -> pluggy.PluginManager:
    """The core's defaults, with the cell's strategies over them in their order.

    Of composed strategies the first named is asked first, and wraps the others.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PlanHooks)
    manager.add_hookspecs(TrainingHooks)
    manager.register(Defaults(), name="defaults")
    # pluggy asks whoever was registered last first.
    for strategy in reversed(strategies):
        manager.register(strategy, name=strategy.name)
    manager.check_pending()
    return manager
