"""The network behind `se_resnet` (Han et al. 2021, CinC 2021 #80).

Padding, which `lengths` tells apart from signal, is zeroed wherever a convolution or a
mean could mix it with signal, so that in evaluation a padded record gives the logits
that it would give alone. Batch norm's statistics in training do include the zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness import ConfigError

if TYPE_CHECKING:
    from . import SEResNet

STEM = 16
"""Channels of the first convolution and the first stage at width 1."""
STAGES = 4


def masked(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """`steps` (batch, channels, steps) with zeros from each record's length on."""
    if lengths is None:
        return steps
    position = torch.arange(steps.shape[-1], device=steps.device)
    return steps * (position < lengths[:, None])[:, None].to(steps.dtype)


def after_stride(lengths: Tensor | None, stride: int) -> Tensor | None:
    """Steps that hold nothing but signal after a layer of this stride."""
    return None if lengths is None else lengths // stride


class Convolution(nn.Conv1d):
    """A convolution that turns n steps into floor(n / stride), for any kernel.

    kernel - stride zeros are added, the smaller half of them on the left, so that
    padding on the right never shifts the signal.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        added = kernel - stride
        symmetric = added % 2 == 0
        super().__init__(
            inputs, outputs, kernel, stride, added // 2 if symmetric else 0, bias=False
        )
        self.ends = None if symmetric else (added // 2, added - added // 2)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (as nn.Conv1d has it)
        """Shape (batch, inputs, n) to (batch, outputs, floor(n / stride))."""
        return super().forward(
            input if self.ends is None else functional.pad(input, self.ends)
        )


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate in (0, 1) that all channels' means decide.

    Squeeze, excitation and scale of Hu et al. 2018 (arXiv 1709.01507), equations 2-4,
    without biases.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        squeezed = max(1, channels // reduction)
        self.squeeze = nn.Conv1d(channels, squeezed, 1, bias=False)
        self.excite = nn.Conv1d(squeezed, channels, 1, bias=False)

    def forward(self, steps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`steps` must be zero from each record's length on, and stay so."""
        means = steps.mean(-1, keepdim=True)
        if lengths is not None:
            # Not a sum over steps, which half precision can't always hold.
            longer = steps.shape[-1] / lengths[:, None, None]
            means = (means * longer).to(steps.dtype)
        return steps * self.excite(torch.relu(self.squeeze(means))).sigmoid()


class Shortcut(nn.Module):
    """What a block adds its branch to: max-pooled, with channels of zeros.

    The zeros go on both sides of the channels, half and half.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        front = (outputs - inputs) // 2
        self.extra = (0, 0, front, outputs - inputs - front)

    def forward(self, steps: Tensor) -> Tensor:
        """Shape (batch, inputs, n) to (batch, outputs, floor(n / stride))."""
        if self.stride > 1:
            steps = functional.max_pool1d(steps, self.stride)
        return functional.pad(steps, self.extra) if any(self.extra) else steps


class Block(nn.Module):
    """Two pre-activated convolutions, a gate, and a shortcut round them.

    The network's first block activates what its shortcut takes, too: it would else
    hand on the first convolution's output as it came.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, first: bool, p: SEResNet.Params
    ) -> None:
        super().__init__()
        self.stride = stride
        self.first = first
        self.norm1 = nn.BatchNorm1d(inputs)
        self.conv1 = Convolution(inputs, outputs, p.kernel, stride)
        self.norm2 = nn.BatchNorm1d(outputs)
        self.dropout = nn.Dropout(p.dropout)
        self.conv2 = Convolution(outputs, outputs, p.kernel)
        self.gate = SqueezeExcitation(outputs, p.reduction)
        self.shortcut = Shortcut(inputs, outputs, stride)

    def forward(self, steps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Steps with zeros from each record's length on, to the same."""
        active = masked(torch.relu(self.norm1(steps)), lengths)
        out = self.conv1(active)
        lengths = after_stride(lengths, self.stride)
        out = self.dropout(torch.relu(self.norm2(out)))
        out = masked(self.conv2(masked(out, lengths)), lengths)
        around = self.shortcut(active if self.first else steps)
        return self.gate(out, lengths) + masked(around, lengths)


class Stage(nn.ModuleList):
    """Blocks of one width; its output, before any norm, can be distilled."""

    def forward(self, steps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Steps with zeros from each record's length on, to the same."""
        for block in self:
            steps = block(steps, lengths)
            lengths = after_stride(lengths, block.stride)
        return steps

    @property
    def stride(self) -> int:
        """Input steps for each output step."""
        return self[0].stride


class Network(nn.Module):
    """Signals (batch, leads, samples), lengths (batch,) in samples -> logits."""

    classifier = "head"

    def __init__(self, leads: int, outputs: int, params: SEResNet.Params) -> None:
        super().__init__()
        widths = [max(1, round(STEM * params.width)) * 2**i for i in range(STAGES)]
        self.shortest = params.stride ** (STAGES - 1)
        self.side_features = params.side_features
        self.stem = Convolution(leads, widths[0], params.kernel)
        self.stages = nn.ModuleList(stages(widths, params))
        self.features = tuple(f"stages.{stage}" for stage in range(STAGES))
        self.norm = nn.BatchNorm1d(widths[-1])
        self.dropout = nn.Dropout(params.dropout)
        self.head = nn.Linear(widths[-1] + params.side_features, outputs)
        initialise(self)

    def forward(
        self,
        signals: Tensor,
        lengths: Tensor | None = None,
        side: Tensor | None = None,
    ) -> Tensor:
        """Logits of shape (batch, outputs).

        Parameters
        ----------
        side
            What is known beside the signal, finite, shape (batch, side_features);
            zeros where it is not given.

        Raises
        ------
        ConfigError
            If `side` has another shape.
        """
        steps, lengths = self._long_enough(masked(signals, lengths), lengths)
        steps = self.stem(steps)
        for stage in self.stages:
            steps = stage(steps, lengths)
            lengths = after_stride(lengths, stage.stride)
        steps = masked(self.dropout(torch.relu(self.norm(steps))), lengths)
        # No step is below zero here, so that padding is never the maximum.
        pooled = steps.amax(-1)
        return self.head(torch.cat([pooled, self._beside(pooled, side)], dim=1))

    def _long_enough(
        self, signals: Tensor, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Signals of at least one step of the last stage, with zeros at the end."""
        missing = max(0, self.shortest - signals.shape[-1])
        if missing:
            signals = functional.pad(signals, (0, missing))
        return signals, None if lengths is None else lengths.clamp(min=self.shortest)

    def _beside(self, pooled: Tensor, side: Tensor | None) -> Tensor:
        expected = (len(pooled), self.side_features)
        if side is None:
            return pooled.new_zeros(expected)
        if side.shape != expected:
            raise ConfigError(
                f"side features of shape {tuple(side.shape)} are not of shape "
                f"{expected}: a row for each record, and a column for each of "
                f"side_features = {self.side_features}",
                "se_resnet",
            )
        return side.to(pooled.dtype)


def stages(widths: list[int], params: SEResNet.Params) -> list[Stage]:
    """A stage for each width; all but the first stride in their first block."""
    made: list[Stage] = []
    inputs = widths[0]
    for stage, width in enumerate(widths):
        made.append(
            Stage(
                Block(
                    width if i else inputs,
                    width,
                    params.stride if stage and not i else 1,
                    stage == i == 0,
                    params,
                )
                for i in range(params.blocks)
            )
        )
        inputs = width
    return made


def initialise(network: nn.Module) -> None:
    """Weights normal by fan-in (He et al. 2015, arXiv 1502.01852), biases zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
