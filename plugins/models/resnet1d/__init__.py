"""A residual network of 1-D convolutions, from 20 thousand to 10 million weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness import Field, Model, Preset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

HANNUN = Preset(
    params={
        "width": 32,
        "stages": 4,
        "blocks": 4,
        "kernel": 16,
        "stem_kernel": 16,
        "stem_stride": 1,
        "strides": "alternate",
        "shortcut": "zero-pad",
        "bias": True,
        "dropout": 0.2,
        "dropout_unit": "value",
        "head_dropout": 0.0,
        "head": "steps",
    },
    about="the 34-layer network of Hannun et al. 2019 for CinC 2017: a decision each "
    "256 samples, 10,466,212 parameters on one lead with four classes",
)


class ResNet1d(Model):
    """Residual 1-D CNN with pre-activation blocks; small by default.

    Blocks are batch norm, ReLU, convolution, batch norm, ReLU, dropout, convolution
    (He et al. 2016, arXiv 1603.05027); each stage doubles the width. Convolutions are
    padded so that n samples become ceil(n / stride) steps.

    The preset `hannun` is the 34-layer network of Hannun et al. 2019, with a decision
    each 256 samples. That network leaves the first block's norm out, which here follows
    the stem's.
    """

    name = "resnet1d"
    reference = "Hannun et al. 2019, doi 10.1038/s41591-018-0268-3"
    presets: ClassVar[Mapping[str, Preset]] = {"hannun": HANNUN}

    class Params(Model.Params):
        """Size, shape and regularisation."""

        width: int = Field(16, ge=1, le=512, description="channels of the first stage")
        stages: int = Field(4, ge=1, le=6, description="each doubles the width")
        blocks: int = Field(2, ge=1, le=16, description="of two convolutions, a stage")
        kernel: int = Field(7, ge=1, le=63, description="samples or steps")
        stem_kernel: int = Field(15, ge=1, le=127, description="samples")
        stem_stride: int = Field(2, ge=1, le=8, description="samples")
        strides: Literal["stage", "alternate"] = Field(
            "stage",
            description="where steps are halved: in the first block of each stage, or "
            "in every second block",
        )
        shortcut: Literal["projection", "zero-pad"] = Field(
            "projection",
            description="round a block that changes shape: a 1x1 convolution, or max "
            "pooling and channels of zeros on both sides",
        )
        bias: bool = Field(False, description="in the convolutions")
        dropout: float = Field(0.2, ge=0, lt=1, description="within blocks")
        dropout_unit: Literal["channel", "value"] = Field(
            "channel",
            description="what is dropped within blocks: channels cost no time",
        )
        head: Literal["pooled", "steps"] = Field(
            "pooled",
            description="one decision from the mean and the maximum over steps, or one "
            "for each step",
        )
        head_dropout: float = Field(0.3, ge=0, lt=1, description="before the head")

    def build(self, leads: int, samples: int, outputs: int) -> nn.Module:
        """The network; logits (batch, outputs), or (batch, outputs, steps)."""
        from .network import ResNet

        return ResNet(leads, outputs, self.params)
