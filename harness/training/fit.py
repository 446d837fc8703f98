"""The standard loop: epochs of training, validation, and the choice of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harness.cost.sparsity import prunable, zero_share
from harness.data.order import batches
from harness.training.batchnorm import reestimate_batchnorm
from harness.training.epoch import Epoch, train_epoch
from harness.training.evaluate import evaluate
from harness.training.optimizer import LearningRate
from harness.training.outputs import EpochReport
from harness.training.selection import kept_figures
from harness.training.training_scores import training_scores

if TYPE_CHECKING:
    from harness.training.run import Run


class Fit:
    """One call of `run.fit`, with what it must not forget across a kill.

    Parameters
    ----------
    samples
        Of all epochs together, where it isn't a whole number of epochs.
    held
        Share of the optimizer's learning rate, in place of the schedule.

    Attributes
    ----------
    epochs
        The last of them may be shorter.
    chosen
        Epoch, phase and validation macro-F1 of the weights that the fit ends with.
    epochs_without_gain
        Epochs since validation macro-F1 last rose.
    """

    def __init__(
        self,
        run: Run,
        epochs: int,
        samples: int | None = None,
        held: float | None = None,
    ) -> None:
        self.epochs = epochs
        self.rate = LearningRate(run.cell.budget, epochs, held)
        self._samples = samples
        if samples is not None:
            self.epochs = -(-samples // len(run.train))
            # The schedule of the budget's epochs, stretched to another length.
            planned = run.cell.budget.epochs
            stretch = self.epochs / planned
            self.rate = LearningRate(run.cell.budget, planned, held, stretch)
        self.chosen: dict[str, Any] = {}
        self.epochs_without_gain = 0
        self._best_macro_f1 = -1.0
        self._best_weights: dict[str, Tensor] | None = None
        self._run = run

    def run(self) -> None:
        """Train all epochs that aren't done, then take the chosen weights."""
        run = self._run
        checkpoint = run.saver.after_epoch
        for number in run.loops.iterate("epoch", lambda: self.epochs, checkpoint):
            report = self._epoch(number)
            with run.meter.outside("epoch_end"):
                run.hook.epoch_end(run=run, report=report)
            stops = bool(run.hook.should_stop(run=run, report=report))
            run.processes.check_same("whether to stop", stops)
            if stops:
                break
        if self._best_weights is not None:
            run.model.load_state_dict(self._best_weights)

    def progress(self, epoch: Epoch, number: int) -> float:
        """The share of the fit that is over; dropped samples count as seen."""
        if self._samples is not None:
            records = len(self._run.train)
            return (number * records + epoch.seen) / self._samples
        return (number + epoch.seen / max(1, len(epoch.indices))) / self.epochs

    def _most(self, number: int) -> int | None:
        """How many records an epoch may see at most; None for all of them."""
        if self._samples is None:
            return None
        records = len(self._run.train)
        return min(records, self._samples - number * records)

    def _epoch(self, number: int) -> EpochReport:
        run = self._run
        run.model.train()
        epoch = Epoch(run, self._most(number))
        run.tally = epoch
        run.core.begin("epoch", epoch)
        train_epoch(run, self, epoch)
        run.tally = None
        if run.dropping.reestimate_batchnorm:
            self._reestimate()
        validation = evaluate(run, run.validation).metrics
        self.rate.validated(validation["log_loss"])
        self._choose(number, epoch.phase, validation["macro_f1"])
        return self._report(number, epoch, validation)

    def _reestimate(self) -> None:
        run = self._run

        records = run.train.without_views()

        def forwards() -> None:
            run.seed_torch()
            for positions in batches(
                torch.arange(len(records)).numpy(), run.cell.budget.batch_size
            ):
                with run.meter.step("re-estimation of BatchNorm"):
                    run.forward(records.batch(positions).to(run.device))

        # Averages over all batches are one process' work; the others get them.
        if run.processes.is_main:
            reestimate_batchnorm(run.model, forwards)
        run.processes.spread(run.model)

    def _choose(self, number: int, phase: str, macro_f1: float) -> None:
        """Remember the weights of the best epoch (the earliest of equals), or of the
        last one.
        """
        here = {"epoch": number, "phase": phase, "validation_macro_f1": macro_f1}
        rises = macro_f1 > self._best_macro_f1
        self.epochs_without_gain = 0 if rises else self.epochs_without_gain + 1
        self._best_macro_f1 = max(macro_f1, self._best_macro_f1)
        if self._run.cell.budget.weights == "last":
            self.chosen = here
        elif rises:
            self.chosen = here
            state = self._run.model.state_dict()
            self._best_weights = {k: v.detach().clone() for k, v in state.items()}
        self._run.chosen.clear()
        self._run.chosen.update(self.chosen)

    def _report(
        self, number: int, epoch: Epoch, validation: Mapping[str, Any]
    ) -> EpochReport:
        run = self._run
        counts = run.meter.samples_of()
        totals = epoch.totals(run.processes)
        trained = totals.backpropagated
        loss = totals.losses / trained if trained else None
        shown = ("macro_f1", "accuracy", "label_accuracy", "macro_auroc")
        row = {
            **totals.means,
            "epoch": number,
            "loops": {k: v for k, v in run.loops.indices.items() if k != "epoch"},
            "phase": epoch.phase,
            "loss": loss,
            "validation": {
                "loss": validation["log_loss"],
                **{name: validation[name] for name in shown},
            },
            "training": training_scores(totals.decisions, run.task),
            **kept_figures(run, epoch, totals),
            "sparsity": zero_share(prunable(run.model).values()),
            "learning_rate": run.optimizer.param_groups[0]["lr"],
            "seen": epoch.seen,
            "scored": totals.scored,
            "steps": epoch.steps,
            "skipped_batches": epoch.skipped_batches,
            "effective_epochs": counts.effective_epochs,
            "forward_epochs": counts.forward_epochs,
            "flops": run.meter.training_flops(),
            "first_batch": epoch.order_hash,
        }
        run.history.append(row)
        run.kept_records.append(number, row["loops"], totals.kept_records.numpy())
        return EpochReport(
            epoch=number,
            phase=epoch.phase,
            loss=loss,
            validation=dict(validation),
            kept_share=row["kept_share"],
            learning_rate=row["learning_rate"],
            row=row,
        )

    def state_dict(self) -> dict[str, Any]:
        """Plain data and tensors."""
        return {
            "rate": self.rate.state_dict(),
            "chosen": self.chosen,
            "epochs_without_gain": self.epochs_without_gain,
            "best_macro_f1": self._best_macro_f1,
            "best_weights": self._best_weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `state_dict` gave it."""
        self.rate.load_state_dict(state["rate"])
        self.chosen = dict(state["chosen"])
        self.epochs_without_gain = state["epochs_without_gain"]
        self._best_macro_f1 = state["best_macro_f1"]
        self._best_weights = state["best_weights"]
