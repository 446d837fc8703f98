"""A run: one cell being trained, and all that a strategy is handed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.cell import Cell
from harness.cost.clock import Clock
from harness.cost.meter import Meter
from harness.cost.size import prunable_weights
from harness.data.order import generator, torch_seed
from harness.data.splits_loaded import DataSplits
from harness.errors import CellError, PluginError
from harness.options import Dropping, Execution
from harness.plugin import Strategy
from harness.results.requirement import Requirement, requirements_of
from harness.training.budget_match import matched_samples
from harness.training.checkpoint import Saver, Tracked, checkpoint_key
from harness.training.defaults import plugin_manager
from harness.training.evaluate import evaluate
from harness.training.fit import Fit
from harness.training.history import History
from harness.training.losses import check_suits, class_weights
from harness.training.networks import Networks
from harness.training.record_log import KeptRecords, LastLosses
from harness.training.snapshots import SNAPSHOTS, Snapshots


class Run(Networks):
    """One cell being trained.

    Attributes
    ----------
    cell
        What is being trained, with all parameters.
    train, validation
        The splits that a strategy may see. The test split is not among them.
    model, optimizer
        Made by the hooks `build_model` and `build_optimizer`.
    device
        Where both live.
    hook
        Calls a hook of the core and of every strategy of the cell.
    kept_records
        What each finished epoch trained on; `kept_records.last` of the last one.
    built_weights
        Prunable weights of the model as it was built: what a reduction is measured by.
    """

    built_weights: int

    def __init__(
        self,
        cell: Cell,
        data: DataSplits,
        strategies: Sequence[Strategy],
        new_model: Callable[[], nn.Module],
        folder: Path,
        execution: Execution,
    ) -> None:
        super().__init__(Accelerator(mixed_precision=_precision(cell)), cell.processes)
        self.cell = cell
        self.train = data.train
        self.validation = data.validation
        self.task = data.task
        self.classes = data.classes
        self.leads = len(data.leads)
        self.samples = data.samples
        self.new_model = new_model
        self.meter = Meter(len(data.train), self.device, cell.seed)
        self.meter.peers = self.processes.gather
        self.clock = Clock(self.device)
        self.meter.clock = self.clock
        writes = self.processes.is_main
        self.history = History(folder / "history.jsonl" if writes else None)
        self.snapshots = Snapshots(folder / SNAPSHOTS, writes=writes)
        self.dropping = _dropping(strategies)
        self.class_weights = self._class_weights()
        self.hook: Any = plugin_manager(strategies).hook
        self.fitted: Fit | None = None
        self.core = Tracked()
        # Of the last fit, which a run that goes on from its very end never enters.
        self.chosen: dict[str, Any] = {}
        self.core.add("chosen", self.chosen)
        if self.accelerator.scaler is not None:
            self.core.add("scaler", self.accelerator.scaler)
        self.kept_records = KeptRecords(len(data.train))
        self.core.add("kept records", self.kept_records)
        self.noted_losses = LastLosses(len(data.train), self.device)
        self.core.add("last losses", self.noted_losses)
        self._tracked = Tracked()
        self.saver = Saver(
            folder,
            checkpoint_key(cell),
            execution,
            self._parts(),
            self.clock,
            self.processes,
        )
        self.loops = self.saver.loops
        self.requirements: Mapping[str, Requirement] = requirements_of(cell, folder)

    def _class_weights(self) -> Tensor | None:
        check_suits(self.cell.budget, self.task, self.cell.dataset.name)
        rule = self.cell.budget.class_weights
        weights = class_weights(self.train.labels, len(self.classes), rule)
        return None if weights is None else weights.to(self.device)

    def _parts(self) -> dict[str, Any]:
        """Everything that a checkpoint holds, in the order of restoring."""
        return {
            "core": self.core,
            "tracked": self._tracked,
            "meter": self.meter,
            "clock": self.clock,
            "history": self.history,
            "snapshots": self.snapshots,
        }

    # --- what a run goes through -------------------------------------------------

    def execute(self) -> None:
        """Train from the start, or from the checkpoint, to the final weights.

        Raises
        ------
        DataError
            Before anything else, if a required cell isn't done.
        """
        for requirement in self.requirements.values():
            requirement.result()
        torch.manual_seed(torch_seed(self.cell.seed, "initial weights"))
        with self.meter.outside("build_model"):
            self.set_model(self.hook.build_model(run=self))
        self.built_weights = prunable_weights(self.model)
        with self.meter.outside("setup"):
            self.hook.setup(run=self)
        with self.clock.measure("training"), self.meter.outside("train"):
            self.hook.train(run=self)

    def fit(
        self,
        epochs: int | None = None,
        *,
        samples: int | None = None,
        fresh_optimizer: bool = False,
        hold_rate: float | None = None,
    ) -> None:
        """Train for some epochs of the standard loop, with all hooks.

        Parameters
        ----------
        epochs
            Default: the budget's, or as long as the cell did that it is matched to.
        samples
            Train on that many samples instead, the last epoch in part, with the
            budget's schedule stretched to that length.
        fresh_optimizer
            Build a new optimizer, as a new round wants it; the first fit always does.
        hold_rate
            Train at this share of the optimizer's learning rate throughout, instead of
            following the budget's schedule.
        """
        if fresh_optimizer or not hasattr(self, "optimizer"):
            self._new_optimizer()
            track = self.core.begin if fresh_optimizer else self.core.add
            track("optimizer", self.optimizer)
        match = self.cell.budget.match
        if match is not None and epochs is None and samples is None:
            samples = matched_samples(self, match)
        self.fitted = Fit(self, epochs or self.cell.budget.epochs, samples, hold_rate)
        self.core.begin("fit", self.fitted)
        self.fitted.run()

    # --- loops and state ---------------------------------------------------------

    def loop(self, name: str, n: int) -> Iterator[int]:
        """The indices of an outer loop not done yet; a checkpoint follows each."""
        return self.loops.iterate(name, lambda: n, lambda _: self.saver.save())

    def track(self, **state: Any) -> None:
        """What a checkpoint shall hold of a strategy: its only place for state.

        It takes anything with `state_dict`, tensors, lists and dicts of plain data;
        each is restored in place on entering the loop that the checkpoint was in.

        Raises
        ------
        CheckpointError
            If an item can't be restored in place.
        """
        for name, item in state.items():
            self._tracked.add(name, item)

    # --- the rest of a strategy's verbs ------------------------------------------

    @property
    def epoch(self) -> int:
        """The epoch under way, from 0; of the innermost fit."""
        return self.loops.indices.get("epoch", 0)

    @property
    def last_losses(self) -> NDArray[np.float32]:
        """The loss of each training record when it was last trained on, before sample
        weights: shape (records,), NaN until then. Renewed on all processes of the
        cell at the end of each epoch.
        """
        losses: NDArray[np.float32] = self.noted_losses.values.cpu().numpy().copy()
        return losses

    def snapshot(self, name: str, **axes: float) -> None:
        """Keep the present weights; the core evaluates them on the test split once
        training is over, and never hands the figure back.

        Parameters
        ----------
        name
            Letters, digits, `.`, `_`, `-`.
        axes
            Numbers that place it in a plot, as `round=3`.
        """
        self.even_out()
        # On the way back to a checkpoint the weights aren't those of then: what was
        # kept then stands.
        if not self.loops.is_returning:
            self.snapshots.take(name, self.model, axes)

    def evaluate(self, split: Literal["validation"] = "validation") -> dict[str, Any]:
        """Metrics on the validation split, as in every result.

        Raises
        ------
        PluginError
            If any other split is asked for.
        """
        if split != "validation":
            raise PluginError(
                f"run.evaluate({split!r}): only 'validation' is to be had"
            )
        return evaluate(self, self.validation).metrics

    def log(self, **values: Any) -> None:
        """Plain values to stand in the history's row of this epoch."""
        self.history.log(values)

    def log_mean(self, **values: Tensor) -> None:
        """Values of samples, shape (n,), whose mean over the epoch is to stand in the
        history's row; those of scoring passes are left out.

        Raises
        ------
        PluginError
            If values aren't one a sample.
        """
        if self.tally is not None and torch.is_grad_enabled():
            self.tally.note_means(values)

    def rng(self, name: str) -> np.random.Generator:
        """A random stream that depends on the seed, the open loops and `name` only.

        It is the same on every process that shares the cell.
        """
        return generator(self.cell.seed, *self.loops.path, name)

    def progress(self) -> str:
        """Where the run is, for people: `round 3, epoch 5 of 20`."""
        places = [
            f"{p.name} {p.index + 1}" for p in self.loops.open if p.name != "batch"
        ]
        if places and self.fitted is not None:
            places[-1] += f" of {self.fitted.epochs}"
        return ", ".join(places) or "setting up"

    def seed_torch(self) -> None:
        """Set torch's global random state (dropout's) for this place in the loops."""
        rank = self.processes.rank
        own = (rank,) if rank else ()
        seed = torch_seed(self.cell.seed, *self.loops.path, "torch", *own)
        # As torch.manual_seed, which keeps a stack trace a call where CUDA is idle.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)


def _precision(cell: Cell) -> str:
    """The budget's precision, as accelerate calls it."""
    if cell.budget.precision == "fp16" and not torch.cuda.is_available():
        raise CellError('precision = "fp16" needs a GPU; on a CPU, take "bf16"')
    return "no" if cell.budget.precision == "fp32" else cell.budget.precision


def _dropping(strategies: Sequence[Strategy]) -> Dropping:
    """The settings of the strategy that drops samples, or the defaults."""
    own = [s.params for s in strategies if isinstance(s.params, Dropping)]
    return own[0] if own else Dropping()
