"""FLOPs of convolutions, groups and transposed ones included, against hand counts."""

import pytest
import torch
from torch import nn

from harness.cost.flop_counter import FlopCounter

BATCH, CHANNELS, STEPS, KERNEL = 3, 8, 20, 4


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 4, 8])
@pytest.mark.parametrize("layer", [nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d])
def test_a_backward_costs_the_forward_for_each_gradient(layer, groups, stride):
    dimensions = 2 if layer is nn.Conv2d else 1
    shape = (BATCH, CHANNELS, *[STEPS] * dimensions)
    source = torch.randn(shape, requires_grad=True)
    convolution = layer(CHANNELS, 2 * CHANNELS, KERNEL, stride, groups=groups)
    with FlopCounter() as counter:
        out = convolution(source)
        forward = counter.flops
        out.sum().backward()
    positions = source if layer is nn.ConvTranspose1d else out
    # Each weight is used once at each position of the grid that it slides over.
    uses = positions[0, 0].numel() * BATCH
    assert forward == 2 * uses * convolution.weight.numel()
    assert counter.flops == 3 * forward


def test_no_gradient_for_the_signals_halves_the_backward():
    convolution = nn.Conv1d(CHANNELS, CHANNELS, KERNEL, groups=CHANNELS)
    with FlopCounter() as counter:
        out = convolution(torch.randn(BATCH, CHANNELS, STEPS))
        forward = counter.flops
        out.sum().backward()
    assert counter.flops == 2 * forward
