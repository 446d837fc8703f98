"""The floor that a network must beat: softmax regression on the raw signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import CellError, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from harness import Run


class Linear(Strategy):
    """Train one linear layer on the flattened signal, on the suite's budget."""

    name = "linear"
    uses_model = False

    @hookimpl
    def build_model(self, run: Run) -> nn.Module:
        """Leads x samples inputs, one output a class."""
        from .network import LinearClassifier

        if run.train.window is None:
            raise CellError(
                "linear needs records of one length: "
                'set seconds to a number, not "whole"'
            )
        return LinearClassifier(run.leads * run.samples, len(run.classes))
