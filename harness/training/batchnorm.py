"""Buffers (BatchNorm's running statistics above all) under the core's control."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def kept_buffers(model: nn.Module) -> Iterator[None]:
    """Whatever forwards do to buffers inside is undone."""
    saved = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in saved:
                buffer.copy_(before)


def reestimate_batchnorm(model: nn.Module, forwards: Callable[[], None]) -> None:
    """Replace BatchNorm's running statistics by plain averages over some forwards.

    Parameters
    ----------
    model
        Its other buffers and its parameters stay.
    forwards
        Sends the data through the model; called in train mode, without gradients.
    """
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    was_training = model.training
    for layer in layers:
        layer.reset_running_stats()
        # No momentum makes BatchNorm average over all batches alike.
        layer.momentum = None
    model.train()
    with torch.no_grad():
        forwards()
    model.train(was_training)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
