"""A constant as a network, so that it is evaluated like any other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALLEST_FREQUENCY = 1e-6
"""Of a class that the training split lacks: its logit must be a number."""


class Constant(nn.Module):
    """The same logits for every record."""

    logits: Tensor

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.register_buffer("logits", torch.zeros(outputs))

    def forward(self, signals: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits, shape (batch, outputs)."""
        return self.logits.expand(len(signals), -1)


def log_frequencies(labels: Tensor, classes: int) -> Tensor:
    """Logits whose softmax (or sigmoid) are the labels' frequencies, shape (classes,).

    Labels are class indices, shape (records,), or targets, shape (records, classes).
    """
    if labels.ndim == 1:
        counts = torch.bincount(labels, minlength=classes).float()
        return (counts / counts.sum()).clamp_min(SMALLEST_FREQUENCY).log()
    return labels.mean(0).logit(eps=SMALLEST_FREQUENCY)
