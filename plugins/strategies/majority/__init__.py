"""The lowest floor: always the same answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Strategy, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from harness import Run


class Majority(Strategy):
    """Predict the training split's class frequencies, whatever the signal."""

    name = "majority"
    uses_model = False

    @hookimpl
    def build_model(self, run: Run) -> nn.Module:
        """A network that ignores its input."""
        from .network import Constant

        return Constant(len(run.classes))

    @hookimpl
    def train(self, run: Run) -> bool:
        """Count labels: nothing is sent forward, nothing is backpropagated."""
        from .network import log_frequencies

        logits = log_frequencies(run.train.labels, len(run.classes))
        run.model.logits.copy_(logits)
        return True
