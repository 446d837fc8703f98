"""The network behind `efficientnetv2` (Tan & Le 2021, arXiv 2104.00298).

Maps have shape (batch, channels, rows, steps) in the image form and
(batch, channels, steps) in the 1-D form; what follows holds for both.

Padding, which `lengths` tells apart from signal, is zeroed wherever a convolution or a
mean could mix it with signal, so that in evaluation a padded record gives the logits
that it would give alone. Batch norm's statistics in training do include the zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from . import EfficientNetV2

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
ROWS = 32
"""Rows of the image form at least: as many as five halvings reduce to one."""


@dataclass(frozen=True)
class StagePlan:
    """A row of table 4: inverted bottlenecks of one width.

    Attributes
    ----------
    fused
        Expanded by the 3x3 convolution itself (Fused-MBConv), or by a pointwise one
        that a depthwise 3x3 and squeeze-and-excitation follow (MBConv).
    stride
        Of the first block.
    """

    fused: bool
    expansion: int
    width: int
    blocks: int
    stride: int


STEM = 24
STAGES = (
    StagePlan(fused=True, expansion=1, width=24, blocks=2, stride=1),
    StagePlan(fused=True, expansion=4, width=48, blocks=4, stride=2),
    StagePlan(fused=True, expansion=4, width=64, blocks=4, stride=2),
    StagePlan(fused=False, expansion=4, width=128, blocks=6, stride=2),
    StagePlan(fused=False, expansion=6, width=160, blocks=9, stride=1),
    StagePlan(fused=False, expansion=6, width=256, blocks=15, stride=2),
)
LAST = 1280


def scaled_width(channels: int, multiplier: float) -> int:
    """Channels to the nearest multiple of 8, at least 8 and at least 90 % of asked.

    The scaled networks of Tan & Le 2019 (arXiv 1905.11946) were rounded like this.
    """
    asked = channels * multiplier
    rounded = max(8, int(asked + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * asked else rounded + 8


def after_stride(lengths: Tensor | None, stride: int) -> Tensor | None:
    """Steps that hold signal after a layer of this stride."""
    return None if lengths is None else (lengths + stride - 1) // stride


def masked(maps: Tensor, lengths: Tensor | None) -> Tensor:
    """`maps` with zeros from each record's length (batch,) on."""
    if lengths is None:
        return maps
    position = torch.arange(maps.shape[-1], device=maps.device)
    signal = (position < lengths[:, None]).to(maps.dtype)
    return maps * signal.view(len(maps), *[1] * (maps.ndim - 2), -1)


def mean_of(maps: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean over rows and steps that hold signal, shape (batch, channels).

    `maps` must be zero elsewhere. It isn't adaptive pooling since that has no
    deterministic gradient on GPUs.
    """
    places = maps.flatten(2)
    if lengths is None:
        return places.mean(-1)
    rows = places.shape[-1] // maps.shape[-1]
    return places.sum(-1) / (rows * lengths[:, None].clamp(min=1))


class Convolution(nn.Module):
    """A convolution, batch norm and, unless it ends a block, SiLU.

    n steps become ceil(n / stride); padding is zero again afterwards.
    """

    def __init__(
        self,
        dimensions: int,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        pad = kernel // 2
        self.stride = stride
        self.conv = CONVOLUTIONS[dimensions](
            inputs, outputs, kernel, stride, pad, groups=groups, bias=False
        )
        self.norm = NORMS[dimensions](outputs, eps=1e-3)
        self.activation = nn.Identity() if linear else nn.SiLU()

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`lengths` are those of the input."""
        out = self.activation(self.norm(self.conv(maps)))
        return masked(out, after_stride(lengths, self.stride))


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate in (0, 1) that all channels' means decide."""

    stride = 1

    def __init__(self, dimensions: int, channels: int, squeezed: int) -> None:
        super().__init__()
        conv = CONVOLUTIONS[dimensions]
        self.squeeze = conv(channels, squeezed, 1)
        self.excite = conv(squeezed, channels, 1)

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Padding stays zero."""
        means = mean_of(maps, lengths).to(maps.dtype)
        means = means.view(*means.shape, *[1] * (maps.ndim - 2))
        return maps * self.excite(functional.silu(self.squeeze(means))).sigmoid()


class StochasticDepth(nn.Module):
    """Zeroes whole records at random in training (Huang et al. 2016, 1603.09382).

    What is kept is divided by the share kept, so that evaluation needs no scale.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, maps: Tensor) -> Tensor:
        """Each record is kept or zeroed as a whole."""
        if not self.training or self.rate == 0:
            return maps
        kept = 1 - self.rate
        draw = torch.empty(
            len(maps), *[1] * (maps.ndim - 1), dtype=maps.dtype, device=maps.device
        )
        return maps * draw.bernoulli_(kept).div_(kept)


class Block(nn.Module):
    """An inverted bottleneck; with a way round it where the shape stays the same."""

    def __init__(
        self, dimensions: int, inputs: int, plan: StagePlan, stride: int, drop: float
    ) -> None:
        super().__init__()
        self.stride = stride
        self.around = stride == 1 and inputs == plan.width
        layers = fused_layers if plan.fused else separable_layers
        self.layers = nn.ModuleList(layers(dimensions, inputs, plan, stride))
        self.drop = StochasticDepth(drop)

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`lengths` are those of the input."""
        out = maps
        for layer in self.layers:
            out = layer(out, lengths)
            lengths = after_stride(lengths, layer.stride)
        return maps + self.drop(out) if self.around else out


def fused_layers(
    dimensions: int, inputs: int, plan: StagePlan, stride: int
) -> list[nn.Module]:
    """Fused-MBConv (figure 2): a full 3x3 in place of pointwise and depthwise."""
    if plan.expansion == 1:
        return [Convolution(dimensions, inputs, plan.width, 3, stride)]
    wide = inputs * plan.expansion
    return [
        Convolution(dimensions, inputs, wide, 3, stride),
        Convolution(dimensions, wide, plan.width, 1, linear=True),
    ]


def separable_layers(
    dimensions: int, inputs: int, plan: StagePlan, stride: int
) -> list[nn.Module]:
    """MBConv (figure 2), squeezed to a quarter of the block's input."""
    wide = inputs * plan.expansion
    return [
        Convolution(dimensions, inputs, wide, 1),
        Convolution(dimensions, wide, wide, 3, stride, groups=wide),
        SqueezeExcitation(dimensions, wide, inputs // 4),
        Convolution(dimensions, wide, plan.width, 1, linear=True),
    ]


class Stage(nn.ModuleList):
    """Blocks of one width; its output can be distilled."""

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`lengths` are those of the input."""
        for block in self:
            maps = block(maps, lengths)
            lengths = after_stride(lengths, block.stride)
        return maps

    @property
    def stride(self) -> int:
        """Input steps for each output step."""
        return self[0].stride


class EfficientNet(nn.Module):
    """Signals (batch, leads, samples), lengths (batch,) in samples -> logits."""

    classifier = "head"

    def __init__(self, leads: int, outputs: int, params: EfficientNetV2.Params) -> None:
        super().__init__()
        image = params.form == "image"
        dimensions = 2 if image else 1
        stem = scaled_width(STEM, params.width)
        last = scaled_width(LAST, params.width)
        missing = max(0, ROWS - leads) if image else 0
        self.image = image
        self.rows = (missing // 2, missing - missing // 2)
        self.stem = Convolution(dimensions, 1 if image else leads, stem, 3, stride=2)
        self.stages = nn.ModuleList(stages(dimensions, stem, params))
        self.features = tuple(f"stages.{i}" for i in range(len(self.stages)))
        deepest = scaled_width(STAGES[-1].width, params.width)
        self.last = Convolution(dimensions, deepest, last, 1)
        self.hidden = nn.Linear(last, params.head_width)
        self.dropout = nn.Dropout(params.dropout)
        self.head = nn.Linear(params.head_width, outputs)
        initialise(self)

    def forward(self, signals: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits of shape (batch, outputs)."""
        maps = masked(signals, lengths)
        if self.image:
            maps = functional.pad(maps, (0, 0, *self.rows))[:, None]
        for part in (self.stem, *self.stages, self.last):
            maps = part(maps, lengths)
            lengths = after_stride(lengths, part.stride)
        hidden = torch.relu(self.hidden(mean_of(maps, lengths)))
        return self.head(self.dropout(hidden))


def stages(dimensions: int, inputs: int, params: EfficientNetV2.Params) -> list[Stage]:
    """The stages of table 4 at this width and depth, on a stem of `inputs` channels.

    The i-th of n blocks, from 0, is dropped at the rate i / n of `stochastic_depth`.
    """
    counts = [ceil(plan.blocks * params.depth) for plan in STAGES]
    step = params.stochastic_depth / sum(counts)
    made: list[Stage] = []
    done = 0
    for row, count in zip(STAGES, counts, strict=True):
        plan = replace(row, width=scaled_width(row.width, params.width))
        made.append(
            Stage(
                Block(
                    dimensions,
                    plan.width if i else inputs,
                    plan,
                    1 if i else plan.stride,
                    step * (done + i),
                )
                for i in range(count)
            )
        )
        inputs, done = plan.width, done + count
    return made


def initialise(network: nn.Module) -> None:
    """Convolutions normal by fan-out, linear layers uniform in 1 / sqrt(outputs)."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            bound = module.out_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound)
            nn.init.zeros_(module.bias)
