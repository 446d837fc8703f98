"""The networks of a run: the trained one, what strategies add, those of other cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from accelerate import Accelerator
from torch import nn

from harness.cost.meter import Meter
from harness.data.dataset import seen_alike
from harness.errors import PluginError
from harness.results.requirement import Requirement
from harness.training.checkpoint import Tracked
from harness.training.forward import check_batch_independence, feature_shapes
from harness.training.passes import Passes
from harness.training.required import RequiredCell
from harness.training.snapshots import ModelState


class Networks(Passes):
    """Places, meters and tracks every network that a run computes with."""

    meter: Meter
    core: Tracked
    leads: int
    samples: int
    requirements: Mapping[str, Requirement]

    def __init__(self, accelerator: Accelerator, processes: int) -> None:
        super().__init__(accelerator, processes)
        self._modules: dict[str, nn.Module] = {}
        self._required: dict[str, RequiredCell] = {}

    def set_model(self, model: nn.Module) -> None:
        """Make `model` the one that is trained, metered and evaluated."""
        if self.cell.batch_independent:
            check_batch_independence(model)
        self.model = model.to(self.device)
        self.processes.spread(self.model)
        self.meter.watch("model", self.model)
        self.core.add("model", ModelState(self))
        if hasattr(self, "optimizer"):
            # The one that there is would go on with the parameters of the model before.
            self._new_optimizer()
            self.core.begin("optimizer", self.optimizer)

    def _new_optimizer(self) -> None:
        """Build one over what is trainable now."""
        built = self.hook.build_optimizer(run=self)
        # Its wrapper looks for packages at each step; only fp16's scaler needs it.
        scaled = self.cell.budget.precision == "fp16"
        self.optimizer = self.accelerator.prepare_optimizer(built) if scaled else built
        self.meter.optimizer = self.optimizer

    def add_module(self, name: str, module: nn.Module) -> nn.Module:
        """An adapter or head of the strategy's own, to be called before `fit`.

        It is placed, tracked, metered and optimised with the model, and isn't part of
        the weights that are saved.
        """
        if self.cell.batch_independent:
            check_batch_independence(module)
        placed = module.to(self.device)
        self.processes.spread(placed)
        self._modules[name] = placed
        self.core.add(f"module {name}", placed)
        self.meter.watch(name, placed, whole=False)
        return placed

    def required(self, role: str) -> RequiredCell:
        """A finished cell that this one requires, by the role that `requires` gave it.

        Ask for its network in `setup`. It is frozen and metered, and part of no
        checkpoint.

        Raises
        ------
        PluginError
            If the cell requires no such role.
        """
        if role not in self.requirements:
            known = ", ".join(map(repr, sorted(self.requirements))) or "nothing"
            raise PluginError(
                f"run.required({role!r}): there is no such role; the cell requires "
                f"{known}"
            )
        cell = self.requirements[role].id
        if cell not in self._required:
            # Roles may share a cell: then they share its network, metered once.
            roles = [r for r, other in self.requirements.items() if other.id == cell]
            self._required[cell] = RequiredCell(
                self.requirements[role],
                self.samples,
                seen_alike(self.cell, self.requirements[role].cell),
                partial(self._place_required, f"required:{min(roles)}"),
                self._send,
            )
        return self._required[cell]

    def _place_required(self, name: str, model: nn.Module) -> nn.Module:
        placed = model.to(self.device)
        self.meter.watch(name, placed)
        return placed

    def feature_shapes(self, *names: str) -> dict[str, tuple[int, int]]:
        """Channels and steps that submodules of the model give for one record, by
        name; found on shapes alone, at no cost.

        Raises
        ------
        PluginError
            If one isn't there, or gives nothing of shape (batch, channels, steps).
        """
        return feature_shapes(self.model, names, self.leads, self.samples)

    def parameters(self) -> Iterator[nn.Parameter]:
        """Of the model and of all added modules."""
        yield from self.model.parameters()
        for module in self._modules.values():
            yield from module.parameters()

    def even_out(self) -> None:
        """Give the processes that share the cell one set of running statistics."""
        for module in (self.model, *self._modules.values()):
            self.processes.even_out(module)
