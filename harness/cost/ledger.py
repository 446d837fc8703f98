"""What a run has spent so far: samples and FLOPs, by module."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from harness.cost.flops import TWIN_ROWS, CallFlops, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

TRAINED = "model"
"""Name of the watched module that is being trained."""


@dataclass
class Work:
    """Training work of one module: samples, and FLOPs that stand for them."""

    forward_samples: int = 0
    backward_samples: int = 0
    forward: int = 0
    backward: int = 0


@dataclass(frozen=True)
class Counts:
    """Samples sent forward by any module, and backward by the trained one."""

    forward_samples: int
    backward_samples: int
    train_samples: int

    @property
    def effective_epochs(self) -> float:
        """Samples backpropagated / training samples (Progressive Data Dropout)."""
        return self.backward_samples / self.train_samples

    @property
    def forward_epochs(self) -> float:
        """Samples sent forward for any reason / training samples."""
        return self.forward_samples / self.train_samples


@dataclass
class Ledger:
    """Sums, in whole numbers, of which a resumed run can go on.

    Attributes
    ----------
    modules
        Training work by the name of the watched module.
    evaluation
        FLOPs of evaluation.
    full_training
        FLOPs that the model's training forwards would have cost with a full
        backward each: the unit of compute-equivalent epochs.
    samples_forward
        Samples that count as sent forward: those of whole models.
    longest
        Shape (leads, samples) of the largest sample that the model has seen.
    not_counted
        What the FLOP counter couldn't see, in words.
    uncounted
        Names of modules whose FLOPs are unknown.
    """

    modules: dict[str, Work] = field(default_factory=dict)
    evaluation: int = 0
    full_training: int = 0
    samples_forward: int = 0
    longest: list[int] | None = None
    not_counted: set[str] = field(default_factory=set)
    uncounted: set[str] = field(default_factory=set)

    @property
    def training(self) -> int:
        """Training FLOPs, as far as they are known."""
        return sum(w.forward + w.backward for w in self.modules.values())

    def work(self, name: str) -> Work:
        """The training work of a module; zeros for one not called yet."""
        return self.modules.setdefault(name, Work())

    def note_blind_spots(self, name: str, flops: CallFlops) -> None:
        """Keep what couldn't be counted of a module."""
        if flops.failure:
            self.uncounted.add(name)
            self.not_counted.add(f"{name} ({flops.failure})")
        self.not_counted.update(f"{name}: {op}" for op in flops.blind)

    def evaluate(self, forward: int, backward: int, flops: CallFlops) -> None:
        """Add work of evaluation, in samples."""
        self.evaluation += _times(forward, flops.forward)
        self.evaluation += _times(backward, flops.backward)

    def train(self, name: str, forward: int, backward: int, flops: CallFlops) -> None:
        """Add training work of a module, in samples."""
        work = self.work(name)
        work.forward_samples += forward
        work.backward_samples += backward
        work.forward += _times(forward, flops.forward)
        work.backward += _times(backward, flops.backward)

    def train_fully(self, forward: int, flops: CallFlops) -> None:
        """Add to the unit of compute-equivalent epochs."""
        self.full_training += _times(forward, flops.forward + flops.backward)

    def saw(self, sample: TensorSpec | None) -> None:
        """Keep the shape of the largest sample."""
        if sample and prod(sample.shape) > prod(self.longest or [0]):
            self.longest = list(sample.shape)

    def counts(self, train_samples: int) -> Counts:
        """Samples so far."""
        backward = self.work(TRAINED).backward_samples
        return Counts(self.samples_forward, backward, train_samples)

    def flops(self) -> dict[str, Any]:
        """FLOPs as reported: None where a part of them is unknown."""
        known = not self.uncounted
        works = self.modules.values()
        return {
            "forward": sum(w.forward for w in works) if known else None,
            "backward": sum(w.backward for w in works) if known else None,
            "training": self.training if known else None,
            "evaluation": self.evaluation if known else None,
            "by_module": {
                name: self._reported(name, work)
                for name, work in sorted(self.modules.items())
            },
        }

    def _reported(self, name: str, work: Work) -> dict[str, int | None]:
        known = name not in self.uncounted
        return {
            "forward": work.forward if known else None,
            "backward": work.backward if known else None,
        }

    def compute_epochs(self, train_samples: int) -> float | None:
        """Training FLOPs / those of one epoch of full training of the model.

        One epoch sends each training sample forward, and backward to all
        parameters; this generalises the cost model (1 + b) N that data dropping is
        judged by, b being the measured backward / forward ratio.
        """
        seen = self.work(TRAINED).forward_samples
        if self.uncounted or not self.full_training:
            return None
        return self.training * seen / (self.full_training * train_samples)

    def add(self, other: Ledger) -> None:
        """Add what another process of the same run has spent."""
        for name, theirs in other.modules.items():
            mine = self.work(name)
            for figure, amount in asdict(theirs).items():
                setattr(mine, figure, getattr(mine, figure) + amount)
        self.evaluation += other.evaluation
        self.full_training += other.full_training
        self.samples_forward += other.samples_forward
        if other.longest and prod(other.longest) > prod(self.longest or [0]):
            self.longest = other.longest
        self.not_counted |= other.not_counted
        self.uncounted |= other.uncounted

    def state_dict(self) -> dict[str, Any]:
        """The ledger as plain data."""
        state = asdict(self)
        state["not_counted"] = sorted(self.not_counted)
        state["uncounted"] = sorted(self.uncounted)
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Ledger:
        """The ledger that `state_dict` described."""
        modules = {name: Work(**work) for name, work in state["modules"].items()}
        sets = {key: set(state[key]) for key in ("not_counted", "uncounted")}
        return cls(**{**state, "modules": modules, **sets})


def _times(rows: int, pair: int) -> int:
    """FLOPs of `rows` samples, of which `TWIN_ROWS` cost `pair`."""
    return rows * pair // TWIN_ROWS
