"""Weights of a model whose shapes training may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from harness.training.networks import Networks


def shape_like(run: Networks, weights: Mapping[str, Tensor]) -> None:
    """Give the run the model that has the shapes of these weights, if a strategy knows
    of one.
    """
    model = run.hook.fit_to_weights(run=run, weights=weights)
    if model is not None:
        run.set_model(model.train(run.model.training))


def take_weights(run: Networks, weights: Mapping[str, Tensor]) -> None:
    """Load weights into the run's model, whichever shapes training gave them.

    Raises
    ------
    RuntimeError
        If they aren't those of the cell's model.
    """
    shape_like(run, weights)
    run.model.load_state_dict(dict(weights))


class ModelState:
    """The model's part of a checkpoint, whichever module is the model at the time."""

    def __init__(self, run: Networks) -> None:
        self._run = run

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers by name."""
        weights: dict[str, Tensor] = self._run.model.state_dict()
        return weights

    def load_state_dict(self, weights: Mapping[str, Tensor]) -> None:
        """As `state_dict` gave it, in the shapes that they had then."""
        take_weights(self._run, weights)
