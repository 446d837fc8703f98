"""The floor of all training: a network as it was initialised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Strategy, hookimpl

if TYPE_CHECKING:
    from harness import Run


class Untrained(Strategy):
    """Leave the network with the weights that it was initialised with."""

    name = "untrained"
    batch_independent = True

    @hookimpl
    def train(self, run: Run) -> bool:
        """Nothing is sent forward, nothing is backpropagated."""
        return True
