"""The network behind `cnn1d`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from . import CNN1d


class Layer(nn.Module):
    """A convolution that turns n steps into ceil(n / 2), batch norm and ReLU."""

    stride = 2

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.pad = nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0)
        self.conv = nn.Conv1d(inputs, outputs, kernel, self.stride, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, steps: Tensor) -> Tensor:
        """Shape (batch, inputs, n) to (batch, outputs, ceil(n / 2))."""
        return torch.relu(self.norm(self.conv(self.pad(steps))))


class CNN(nn.Module):
    """Signals (batch, leads, samples), lengths (batch,) in samples -> logits."""

    classifier = "head"

    def __init__(self, leads: int, outputs: int, params: CNN1d.Params) -> None:
        super().__init__()
        widths = [leads, *(params.width * 2**i for i in range(params.layers))]
        self.layers = nn.ModuleList(
            Layer(before, after, params.kernel) for before, after in pairwise(widths)
        )
        self.features = tuple(f"layers.{i}" for i in range(params.layers))
        self.dropout = nn.Dropout(params.dropout)
        self.head = nn.Linear(widths[-1], outputs)

    def forward(self, signals: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits of shape (batch, outputs)."""
        steps = _masked(signals, lengths)
        for layer in self.layers:
            steps = layer(steps)
            if lengths is not None:
                # Padding is zeroed, so that a padded record gives its own logits.
                lengths = (lengths + layer.stride - 1) // layer.stride
                steps = _masked(steps, lengths)
        count = steps.shape[-1] if lengths is None else lengths[:, None].clamp(min=1)
        return self.head(self.dropout(steps.sum(-1) / count))


def _masked(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """`steps` (batch, channels, steps) with zeros from each record's length on."""
    if lengths is None:
        return steps
    position = torch.arange(steps.shape[-1], device=steps.device)
    return steps * (position < lengths[:, None])[:, None].to(steps.dtype)
