"""The network behind `resnet1d`.

Padding, which `lengths` tells apart from signal, is zeroed before every convolution
and pooling, so that in evaluation a padded record gives the logits that it would give
alone. Batch norm's statistics in training do include the zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from . import ResNet1d


def masked(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """`steps` (batch, channels, steps) with zeros from each record's length on."""
    if lengths is None:
        return steps
    position = torch.arange(steps.shape[-1], device=steps.device)
    return steps * (position < lengths[:, None])[:, None].to(steps.dtype)


def after_stride(lengths: Tensor | None, stride: int) -> Tensor | None:
    """Steps that hold signal after a layer of this stride."""
    return None if lengths is None else (lengths + stride - 1) // stride


class Convolution(nn.Conv1d):
    """A convolution that turns n steps into ceil(n / stride), for any kernel.

    The left padding depends on the kernel alone, so that padding on the right never
    shifts the signal; it's TensorFlow's "SAME" for even kernels and lengths.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True
    ) -> None:
        symmetric = kernel % 2 == 1
        padding = kernel // 2 if symmetric else 0
        super().__init__(inputs, outputs, kernel, stride, padding, bias=bias)
        self.ends = None if symmetric else ((kernel - 1) // 2, kernel // 2)
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (as nn.Conv1d has it)
        """Shape (batch, inputs, n) to (batch, outputs, ceil(n / stride))."""
        return super().forward(
            input if self.ends is None else functional.pad(input, self.ends)
        )


class Shortcut(nn.Module):
    """What a block's output is added to, brought to its shape."""

    def __init__(self, inputs: int, outputs: int, stride: int, project: bool) -> None:
        super().__init__()
        self.stride = stride
        self.extra = outputs - inputs
        self.projection = (
            Convolution(inputs, outputs, 1, stride, bias=False)
            if project and (self.extra or stride > 1)
            else None
        )

    def forward(self, steps: Tensor) -> Tensor:
        """Shape (batch, inputs, n) to (batch, outputs, ceil(n / stride))."""
        if self.projection is not None:
            return self.projection(steps)
        if self.stride > 1:
            missing = -steps.shape[-1] % self.stride
            steps = functional.max_pool1d(
                functional.pad(steps, (0, missing)), self.stride
            )
        if self.extra:
            front = self.extra // 2
            return functional.pad(steps, (0, 0, front, self.extra - front))
        return steps


class Block(nn.Module):
    """Two pre-activated convolutions and a shortcut round them."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, p: ResNet1d.Params
    ) -> None:
        super().__init__()
        self.stride = stride
        self.norm1 = nn.BatchNorm1d(inputs)
        self.conv1 = Convolution(inputs, outputs, p.kernel, stride, p.bias)
        self.norm2 = nn.BatchNorm1d(outputs)
        dropout = nn.Dropout1d if p.dropout_unit == "channel" else nn.Dropout
        self.dropout = dropout(p.dropout)
        self.conv2 = Convolution(outputs, outputs, p.kernel, 1, p.bias)
        self.shortcut = Shortcut(inputs, outputs, stride, p.shortcut == "projection")

    def forward(self, steps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Steps with zeros from each record's length on, to the same."""
        out = self.conv1(masked(torch.relu(self.norm1(steps)), lengths))
        lengths = after_stride(lengths, self.stride)
        out = self.dropout(torch.relu(self.norm2(out)))
        out = self.conv2(masked(out, lengths))
        return masked(out + self.shortcut(steps), lengths)


class Stage(nn.ModuleList):
    """Blocks of one width; its output can be distilled."""

    def forward(self, steps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Steps with zeros from each record's length on, to the same."""
        for block in self:
            steps = block(steps, lengths)
            lengths = after_stride(lengths, block.stride)
        return steps

    @property
    def stride(self) -> int:
        """Input steps for each output step."""
        product = 1
        for block in self:
            product *= block.stride
        return product


class ResNet(nn.Module):
    """Signals (batch, leads, samples), lengths (batch,) in samples -> logits."""

    classifier = "head"

    def __init__(self, leads: int, outputs: int, params: ResNet1d.Params) -> None:
        super().__init__()
        p = params
        widths = [p.width * 2**stage for stage in range(p.stages)]
        self.stem = Convolution(leads, p.width, p.stem_kernel, p.stem_stride, p.bias)
        self.stem_norm = nn.BatchNorm1d(p.width)
        self.stages = nn.ModuleList()
        for stage, width in enumerate(widths):
            inputs = widths[max(stage - 1, 0)]
            self.stages.append(
                Stage(
                    Block(inputs if i == 0 else width, width, _stride(p, stage, i), p)
                    for i in range(p.blocks)
                )
            )
        self.features = tuple(f"stages.{stage}" for stage in range(p.stages))
        self.norm = nn.BatchNorm1d(widths[-1])
        self.dropout = nn.Dropout(p.head_dropout)
        self.pooled = p.head == "pooled"
        self.head = (
            nn.Linear(2 * widths[-1], outputs)
            if self.pooled
            else Convolution(widths[-1], outputs, 1)
        )

    def forward(self, signals: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits of shape (batch, outputs), or (batch, outputs, steps)."""
        steps = self.stem(masked(signals, lengths))
        lengths = after_stride(lengths, self.stem.stride[0])
        steps = masked(torch.relu(self.stem_norm(steps)), lengths)
        for stage in self.stages:
            steps = stage(steps, lengths)
            lengths = after_stride(lengths, stage.stride)
        steps = masked(torch.relu(self.norm(steps)), lengths)
        if not self.pooled:
            return self.head(self.dropout(steps))
        count = steps.shape[-1] if lengths is None else lengths[:, None].clamp(min=1)
        pooled = torch.cat([steps.sum(-1) / count, steps.amax(-1)], dim=1)
        return self.head(self.dropout(pooled))


def _stride(p: ResNet1d.Params, stage: int, block: int) -> int:
    if p.strides == "alternate":
        return 2 if (stage * p.blocks + block) % 2 else 1
    return 2 if block == 0 else 1
