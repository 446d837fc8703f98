"""A small plain CNN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Field, Model

if TYPE_CHECKING:
    from torch import nn


class CNN1d(Model):
    """Small plain 1-D CNN: strided convolutions, mean over time, one linear layer."""

    name = "cnn1d"

    class Params(Model.Params):
        """Size and regularisation."""

        width: int = Field(
            16, ge=1, le=512, description="channels of the first layer; doubled by each"
        )
        layers: int = Field(4, ge=1, le=8, description="convolutions of stride 2")
        kernel: int = Field(5, ge=1, le=63, description="samples or steps")
        dropout: float = Field(0.1, ge=0, lt=1, description="before the linear layer")

    def build(self, leads: int, samples: int, outputs: int) -> nn.Module:
        """The network; logits of shape (batch, outputs)."""
        from .network import CNN

        return CNN(leads, outputs, self.params)
