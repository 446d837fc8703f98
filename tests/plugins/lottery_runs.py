"""Runs of lottery-ticket on a small network, and what is seen of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from small_runs import make_run
from torch import Tensor, nn

from harness import Strategy, hookimpl
from harness.catalog import load_plugin_class
from harness.training.run import Run

State = Mapping[str, Tensor]

STRATEGIES = Path(__file__).parents[2] / "plugins" / "strategies"
LOTTERY = load_plugin_class(STRATEGIES / "lottery_ticket/__init__.py", "LotteryTicket")
DBPD = load_plugin_class(STRATEGIES / "dbpd.py", "DifficultyBasedDropout")

WEIGHTS = ("conv.weight", "classifier.weight")
PRUNABLE = 2 * 8 * 7 + 8 * 3
"""Of the small network: a convolution and a head."""


def lottery(**params: object) -> Strategy:
    return LOTTERY(LOTTERY.Params(**params))


def dbpd(**params: object) -> Strategy:
    return DBPD(DBPD.Params(**params))


def trained(
    folder: Path, *strategies: Strategy, epochs: int = 2, **settings: object
) -> Run:
    run = make_run(folder, *strategies, epochs=epochs, **settings)
    run.execute()
    return run


def copied(model: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in model.state_dict().items()}


class Witness(Strategy):
    """Notes the network at the start of each round, and after each step.

    Attributes
    ----------
    starts
        By round.
    steps, gradients
        The round and the network after each step, and the gradients of that step.
    """

    name = "witness"

    def __init__(self) -> None:
        super().__init__()
        self.starts: list[State] = []
        self.steps: list[tuple[int, State]] = []
        self.gradients: list[State] = []

    @hookimpl
    def build_optimizer(self, run: Run) -> None:
        self.starts.append(copied(run.model))

    @hookimpl
    def after_step(self, run: Run) -> None:
        self.steps.append((len(self.starts) - 1, copied(run.model)))
        parameters = dict(run.model.named_parameters())
        self.gradients.append({n: p.grad.clone() for n, p in parameters.items()})


def snapshot(run: Run, name: str, number: int) -> State:
    """The network that was kept of a round."""
    entries = [e for e in run.snapshots.entries if e["name"] == name]
    (file,) = [e["file"] for e in entries if e["axes"] == {"round": number}]
    return load_file(run.snapshots.folder / file)


def kept(state: State) -> dict[str, Tensor]:
    """The mask that a network's zeros show."""
    return {name: state[name] != 0 for name in WEIGHTS}


def left(state: State) -> int:
    return sum(int(mask.sum()) for mask in kept(state).values())


def masked(state: State, mask: State) -> dict[str, Tensor]:
    return {k: v * mask[k] if k in mask else v for k, v in state.items()}


def equal(one: State, other: State) -> bool:
    """Bit by bit, but for the sign of zeros."""
    return set(one) == set(other) and all(torch.equal(one[k], other[k]) for k in one)
