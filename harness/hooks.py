"""Every hook, in the order in which a run calls them.

A strategy implements those it changes, as methods marked `@hookimpl`; the core's
defaults (`harness.training.defaults`) stand behind it. Hooks marked *first* stop at
the first answer that is not None; the others collect all answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

    from harness.cell import Cell
    from harness.data.batch import Batch
    from harness.tracking.events import (
        CellOutcome,
        TrackedCell,
        TrackedEpoch,
        TrackedSuite,
    )
    from harness.training.outputs import EpochReport, Outputs
    from harness.training.run import Run

PROJECT = "harness"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class PlanHooks:
    """Asked while a suite is planned: no data, no torch."""

    @hookspec
    def requires(self, cell: Cell) -> Mapping[str, Cell] | None:
        """Cells that must be done first, by role, as
        `{"teacher": cell.with_strategy("baseline")}`; `run.required` hands them over.
        """

    @hookspec
    def controls(self, cell: Cell) -> Mapping[str, Cell] | None:
        """Cells that stand beside this one on the leaderboard, by what they are called
        there; controls have no controls.

        Default, for a strategy that selects samples: `harness.equal_budget` and
        `harness.random_instead`.
        """


class TrainingHooks:
    """Asked while a cell is trained."""

    @hookspec(firstresult=True)
    def build_model(self, run: Run) -> nn.Module | None:
        """The network to train. Default: the cell's model, on its device."""

    @hookspec
    def setup(self, run: Run) -> None:
        """Make adapters, teachers and masks here; the optimizer comes after."""

    @hookspec(firstresult=True)
    def build_optimizer(self, run: Run) -> torch.optim.Optimizer | None:
        """Default: the budget's optimizer over all trainable parameters."""

    @hookspec(firstresult=True)
    def train(self, run: Run) -> bool | None:
        """The whole training; return True. Default: `run.fit()`."""

    @hookspec(firstresult=True)
    def phase(self, run: Run) -> str | None:
        """Name of this epoch's phase, for the history and the audit. Default: train."""

    @hookspec(firstresult=True)
    def select_epoch(self, run: Run) -> tuple[np.ndarray, np.ndarray | None] | None:
        """Which samples this epoch sees, before any forward.

        Returns (indices into `run.train`, shape (n,); weights, shape (n,), or None
        for 1). Default: all of them.
        """

    @hookspec(firstresult=True)
    def select_samples(self, run: Run, batch: Batch) -> Tensor | None:
        """Which samples of a batch to train on: bool, shape (batch,). Default: all."""

    @hookspec(firstresult=True)
    def training_step(self, run: Run, batch: Batch) -> bool | None:
        """One optimizer step on the batch; return True.

        Default: `run.backward(run.losses(batch)); run.step()`.
        """

    @hookspec(firstresult=True)
    def sample_losses(self, run: Run, batch: Batch, outputs: Outputs) -> Tensor | None:
        """One loss a sample, shape (batch,).

        Default: cross-entropy, or the mean binary cross-entropy over classes; steps
        are averaged under the mask.
        """

    @hookspec
    def extra_losses(self, run: Run, batch: Batch, outputs: Outputs) -> Tensor | None:
        """A loss added to `sample_losses`, one value a sample, shape (batch,)."""

    @hookspec
    def after_step(self, run: Run) -> None:
        """After each optimizer step: where masks are applied to weights again."""

    @hookspec
    def epoch_end(self, run: Run, report: EpochReport) -> None:
        """After an epoch and its validation."""

    @hookspec(firstresult=True)
    def should_stop(self, run: Run, report: EpochReport) -> bool | None:
        """True ends the fit. Default: early stopping, where the budget declares it."""

    @hookspec(firstresult=True)
    def predict(self, run: Run, batch: Batch, outputs: Outputs) -> Tensor | None:
        """Probabilities, shape (batch, classes).

        Default: softmax or sigmoid; the mean over valid steps where logits have steps.
        """

    @hookspec(firstresult=True)
    def fit_to_weights(
        self, run: Run, weights: Mapping[str, Tensor]
    ) -> nn.Module | None:
        """A network for weights that are about to be loaded (a checkpoint's, a
        snapshot's, the final ones), where training changes shapes; its values don't
        matter.

        They may be those of another model: then None. Default: the model as it is.
        """


class TrackingHooks:
    """Told to trackers, in a process of their own; what they return is ignored."""

    @hookspec
    def suite_started(self, suite: TrackedSuite) -> None:
        """Before anything else is told, in each `harness run`."""

    @hookspec
    def cell_started(self, cell: TrackedCell, epochs: int) -> None:
        """A process took the cell up, or goes on with it.

        `epochs` is how many of its epochs were told in earlier runs; 0 for a cell that
        begins anew.
        """

    @hookspec
    def epoch_finished(self, cell: TrackedCell, epoch: TrackedEpoch) -> None:
        """An epoch and its validation are over. Each is told once, in order; the last
        one again, if the tracker's process was ended while it was told.
        """

    @hookspec
    def cell_finished(self, cell: TrackedCell, outcome: CellOutcome) -> None:
        """The cell is done, has failed, or was stopped and can go on."""

    @hookspec
    def suite_finished(self, suite: TrackedSuite, states: Mapping[str, str]) -> None:
        """After all else; the state of every cell of the suite, by id."""


class DiscoveryHooks:
    """Asked of a plugin module when the catalog reads it."""

    @hookspec
    def harness_plugins(self) -> Any:
        """The plugin classes that a module offers.

        Default: its public subclasses of `Dataset`, `Model`, `Strategy` and `Tracker`.
        """
