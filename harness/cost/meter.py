"""The cost of a run as the core sees it: no plugin reports its own."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from harness.cost.audit import Audit
from harness.cost.flop_counter import FlopCounter
from harness.cost.ledger import TRAINED, Counts, Ledger
from harness.cost.module_hooks import Watched
from harness.cost.peak_memory import PeakLive
from harness.cost.regions import Region, Regions
from harness.cost.sparsity import inference_macs, sparsity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch.optim import Optimizer
    from torch.utils._python_dispatch import TorchDispatchMode

    from harness.cost.clock import Clock


class Meter:
    """Counts samples, FLOPs and memory of a run, and audits its own counts.

    Samples are counted by hooks on the watched modules; FLOPs are those samples times
    the FLOPs per sample of a twin on the meta device, for each way of calling a module
    (mode, trainable parameters, gradients, input shape). A backward counts when a
    gradient arrives at the output of a forward, once for each backward; it's charged
    in full, as it runs in full even where samples are masked. Audited steps and hooks
    outside of steps are counted a second time, at the dispatcher.

    Parameters
    ----------
    train_samples
        Size of the training split: the unit of epochs.
    device
        Where the run computes.
    seed
        Decides, with phase and number, which steps are audited.

    Attributes
    ----------
    optimizer
        Set by the core once it's built; its state is part of the peak memory.
    clock
        Set by the core: what counting twins takes is charged to "metering" there, not
        to what is being timed.
    peers
        Set by the core where several processes share the cell: gives everybody's
        value. Figures that are asked for are then those of all, peaks the largest.
    cuda_peak_bytes
        `torch.cuda.max_memory_allocated` of the audited steps; None without CUDA.
    """

    def __init__(self, train_samples: int, device: torch.device, seed: int) -> None:
        self.train_samples = train_samples
        self.device = device
        self.optimizer: Optimizer | None = None
        self.clock: Clock | None = None
        self.peers: Callable[[Any], list[Any]] = lambda mine: [mine]
        self.cuda_peak_bytes: int | None = None
        self._watched: dict[str, Watched] = {}
        self._ledger = Ledger()
        self._audit = Audit(seed)
        self._memory: dict[str, Any] | None = None
        self._counter = FlopCounter()
        self._regions = Regions(self._counter, self._metered, self._closed)

    def watch(self, name: str, module: nn.Module, *, whole: bool = True) -> None:
        """Meter a root module; "model" is the trained one. Replaces that name's.

        `whole=False` is for adapters: their work counts, but what passes them isn't
        a sample sent forward once more.
        """
        self.unwatch(name)
        self._watched[name] = Watched(
            name, module, whole, self._watched.values, self._is_evaluating
        )
        self._forget_structure()

    def unwatch(self, name: str) -> None:
        """Stop metering a module; what it did stays counted."""
        if name in self._watched:
            self._settle()
            self._watched.pop(name).remove()
            self._forget_structure()

    @contextmanager
    def step(self, phase: str, size: int = 0) -> Iterator[None]:
        """Wrap one whole training step: scoring, forward, backward, optimizer.

        Parameters
        ----------
        phase
            Its name; each phase is audited on its own.
        size
            Elements of the batch: a step larger than any audited before is audited.
        """
        if self._is_covered():
            yield
            return
        due = self._audit.due(phase, size)
        modes = self._audit_modes() if due else ()
        with self._regions.inside(Region("step", phase, modes)) as region:
            yield
        self._check_hooks()
        if due:
            self._conclude(region)

    @contextmanager
    def outside(self, hook: str) -> Iterator[None]:
        """Wrap a hook that runs outside of steps.

        What it computes beyond calls of watched modules is hidden work of that hook.
        Within a step or a pause it does nothing: they cover it.
        """
        if self._is_covered():
            yield
            return
        with self._regions.inside(Region("outside", hook, (self._counter,))):
            yield
        self._forget_structure()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Wrap evaluation: its FLOPs are kept apart, its samples aren't training."""
        if self._is_evaluating():
            yield
            return
        with self._regions.inside(Region("paused")):
            yield

    def samples_of(self) -> Counts:
        """Samples forward and backward so far."""
        return self._joint_ledger().counts(self.train_samples)

    def training_flops(self) -> int | None:
        """Training FLOPs so far; None where a part of them is unknown."""
        ledger = self._joint_ledger()
        return None if ledger.uncounted else ledger.training

    def longest_sample(self) -> list[int] | None:
        """Shape (leads, samples) of the largest sample that the model has been trained
        on; None where there was none.
        """
        return self._joint_ledger().longest

    def _joint_ledger(self) -> Ledger:
        """What all processes have spent; this one's own where it is alone."""
        self._settle()
        told = self.peers(self._ledger)
        if len(told) == 1:
            return self._ledger
        joint = Ledger()
        for ledger in told:
            joint.add(ledger)
        return joint

    def _is_evaluating(self) -> bool:
        return self._regions.kind == "paused"

    def _is_covered(self) -> bool:
        return self._regions.kind in {"step", "paused"}

    def _forget_structure(self) -> None:
        for watched in self._watched.values():
            watched.forget_structure()

    def _check_hooks(self) -> None:
        for name, watched in self._watched.items():
            if not watched.intact:
                self._audit.removed.add(name)

    def _audit_modes(self) -> tuple[TorchDispatchMode, ...]:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        modules = [w.module for w in self._watched.values()]
        return self._counter, PeakLive(modules, self.optimizer)

    def _conclude(self, step: Region) -> None:
        # With a module of unknown FLOPs there is nothing to compare with.
        if not self._ledger.uncounted:
            self._audit.record_step(step.name, step.counted, step.metered, step.blind)
        memory = step.modes[-1]
        assert isinstance(memory, PeakLive)
        if memory.saw_backward:
            self._audit.record_backward(step.name)
        found = memory.breakdown()
        if self._memory is None or found["total"] > self._memory["total"]:
            self._memory = {**found, "phase": step.name}
        if self.device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self.device)
            self.cuda_peak_bytes = max(peak, self.cuda_peak_bytes or 0)

    def _closed(self, region: Region, counted: int, metered: int) -> None:
        if region.kind == "outside":
            self._audit.record_hook(region.name, counted, metered, region.blind)
        elif any(w.unseen for w in self._watched.values()):
            self._settle()

    def _metered(self) -> int:
        self._settle()
        return self._ledger.training

    def _settle(self) -> None:
        """Turn the samples that the hooks counted into FLOPs."""
        for watched in self._watched.values():
            clock = self.clock if watched.unseen else None
            with clock.measure("metering") if clock else nullcontext():
                self._settle_one(watched)

    def _settle_one(self, watched: Watched) -> None:
        ledger, name = self._ledger, watched.name
        for key, rows, flops in watched.settle():
            ledger.note_blind_spots(name, flops)
            if key.evaluating:
                ledger.evaluate(rows.forward, rows.backward, flops)
                continue
            ledger.train(name, rows.forward, rows.backward, flops)
            if watched.whole:
                ledger.samples_forward += rows.forward
            if name == TRAINED:
                full = watched.flops(key.call.complete(), key.structure)
                ledger.train_fully(rows.forward, full)
                ledger.saw(key.call.signals)

    def _joint_audit(self) -> Audit:
        told: list[Audit] = self.peers(self._audit)
        joint = told[0]
        for other in told[1:]:
            joint.add(other)
        return joint

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs to end with the same summary; plain data."""
        self._settle()
        self._regions.flush()
        return {
            "ledger": self._ledger.state_dict(),
            "audit": self._audit.state_dict(),
            "memory": self._memory,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; what this process metered so far is dropped."""
        self._settle()
        self._ledger = Ledger.from_state(state["ledger"])
        self._audit = Audit.from_state(state["audit"])
        self._memory = state["memory"]
        self._regions.restart()

    def summary(
        self, model: nn.Module, optimizer: Optimizer | None = None
    ) -> dict[str, Any]:
        """The counted cost: plain data, equal for equal runs. None: not measured.

        `parameters.trainable` are those of the optimizer, adapters included, or of
        the model where there is no optimizer.
        """
        self._regions.flush()
        self._check_hooks()
        ledger, audit = self._joint_ledger(), self._joint_audit()
        counts = ledger.counts(self.train_samples)
        peaks = [peak for peak in self.peers(self._memory) if peak is not None]
        groups = optimizer.param_groups if optimizer else []
        updated = [p for g in groups for p in g["params"]] or list(model.parameters())
        return {
            "train_samples": self.train_samples,
            "forward_samples": counts.forward_samples,
            "backward_samples": counts.backward_samples,
            "effective_epochs": counts.effective_epochs,
            "forward_epochs": counts.forward_epochs,
            "compute_epochs": ledger.compute_epochs(self.train_samples),
            "flops": ledger.flops(),
            "not_counted": sorted(ledger.not_counted),
            "audit": audit.summary(ledger.training, bool(ledger.uncounted)),
            "peak_memory_bytes": max(peaks, key=itemgetter("total"), default=None),
            "parameters": {
                "total": sum(p.numel() for p in model.parameters()),
                "trainable": sum(p.numel() for p in updated if p.requires_grad),
            },
            "sparsity": sparsity(model),
            "inference": inference_macs(model, ledger.longest),
        }
