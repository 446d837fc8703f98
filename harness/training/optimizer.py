"""The budget's optimizer, and its learning rate as a function of samples seen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from harness.options import SGD, AdamW, Budget, Cosine, OneCycle, Plateau, Step
from harness.options.budget import Decay

MOMENTUM_LOW, MOMENTUM_HIGH = 0.85, 0.95
"""Between which `one-cycle` moves beta1 or momentum, against the rate."""


def build_optimizer(
    budget: Budget, parameters: Iterable[nn.Parameter]
) -> torch.optim.Optimizer:
    """The optimizer that the budget names, over trainable parameters."""
    chosen = budget.optimizer
    trainable = _groups([p for p in parameters if p.requires_grad], chosen.decay)
    if isinstance(chosen, SGD):
        return torch.optim.SGD(
            trainable,
            lr=chosen.lr,
            momentum=chosen.momentum,
            weight_decay=chosen.weight_decay,
            nesterov=chosen.nesterov,
        )
    kind = torch.optim.AdamW if isinstance(chosen, AdamW) else torch.optim.Adam
    first, second = chosen.betas
    return kind(
        trainable, lr=chosen.lr, betas=(first, second), weight_decay=chosen.weight_decay
    )


def _groups(trainable: list[nn.Parameter], decay: Decay) -> list[Any]:
    """The parameters; those that don't decay, which have one axis, apart."""
    if decay == "all":
        return trainable
    decaying = [p for p in trainable if p.ndim > 1]
    others = [p for p in trainable if p.ndim <= 1]
    return [
        *([{"params": decaying}] if decaying else []),
        *([{"params": others, "weight_decay": 0.0}] if others else []),
    ]


class LearningRate:
    """Sets the rate from the share of the fit that is over.

    Progress counts samples seen, those that a strategy skipped included: so that
    dropping samples changes the data, not the schedule.

    Parameters
    ----------
    budget
        Whose schedule it is.
    epochs
        Length of the fit.
    held
        What the rate is multiplied by throughout, in place of the schedule.
    stretch
        Epochs of the fit that stand for one of the schedule's.
    """

    def __init__(
        self,
        budget: Budget,
        epochs: int,
        held: float | None = None,
        stretch: float = 1.0,
    ) -> None:
        self.schedule = budget.schedule
        self.epochs = epochs
        self._held = held
        self._stretch = stretch
        self._plateau = {"factor": 1.0, "best": math.inf, "waited": 0}

    def factor(self, progress: float) -> float:
        """What the optimizer's rate is multiplied by at `progress` in [0, 1)."""
        if self._held is not None:
            return self._held
        match self.schedule:
            case Step(gamma=gamma, epochs=size):
                # A quotient of counts: an epoch must not begin one ulp late.
                return gamma ** math.floor(progress * self.epochs / size + 1e-9)
            case Cosine(warmup=warmup) if progress < warmup:
                return progress / warmup
            case Cosine(warmup=warmup, final=final):
                return _cosine(1.0, final, (progress - warmup) / (1 - warmup))
            case OneCycle(rise=rise, div=div) if progress < rise:
                return _cosine(1 / div, 1.0, progress / rise)
            case OneCycle(rise=rise, div=div, final_div=final_div):
                return _cosine(1.0, 1 / div / final_div, (progress - rise) / (1 - rise))
            case Plateau():
                return self._plateau["factor"]
            case _:
                return 1.0

    def momentum(self, progress: float) -> float | None:
        """Beta1 or momentum at `progress`; None where the schedule leaves it."""
        if self._held is not None or not isinstance(self.schedule, OneCycle):
            return None
        if not self.schedule.cycle_momentum:
            return None
        rise = self.schedule.rise
        if progress < rise:
            return _cosine(MOMENTUM_HIGH, MOMENTUM_LOW, progress / rise)
        return _cosine(MOMENTUM_LOW, MOMENTUM_HIGH, (progress - rise) / (1 - rise))

    def apply(self, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Set rate (and momentum) of every parameter group."""
        factor, momentum = self.factor(progress), self.momentum(progress)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * factor
            if momentum is not None:
                _set_momentum(group, momentum)

    def validated(self, loss: float) -> None:
        """Tell the schedule of an epoch's validation loss."""
        if not isinstance(self.schedule, Plateau):
            return
        state = self._plateau
        if loss < state["best"]:
            state.update(best=loss, waited=0)
            return
        state["waited"] += 1
        if state["waited"] > self.schedule.patience * self._stretch:
            state.update(factor=state["factor"] * self.schedule.factor, waited=0)

    def state_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**self._plateau, "held": self._held}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As `state_dict` gave it."""
        plateau = dict(state)
        self._held = plateau.pop("held", None)
        self._plateau.update(plateau)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, group["betas"][1])
    else:
        group["momentum"] = momentum
