"""EfficientNetV2-S, on an ECG as an image or with convolutions over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness import Field, Model, Preset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


class EfficientNetV2(Model):
    """EfficientNetV2-S on the leads as an image, or with 1-D convolutions.

    Fused and plain inverted bottlenecks in six stages (Tan & Le 2021, table 4), the
    mean over all positions, and two linear layers. For 12 leads and 5 outputs the
    image form has 20,341,669 parameters, the 1-D form 19,603,117, and the preset
    `small` 167,933 (183,365 as an image).

    - `form = "image"`: a picture of one channel with a row for each lead, in the order
      of the leads, padded with rows of zeros on both sides to 32. Convolutions and
      strides treat rows as they treat time.
    - `form = "1d"`: the leads are input channels, and all convolutions run over time.

    Steps are halved five times, so that in training a batch of one record needs more
    than 32 samples: BatchNorm has no variance of a single value.
    """

    name = "efficientnetv2"
    reference = "Tan & Le 2021, arXiv 2104.00298"
    presets: ClassVar[Mapping[str, Preset]] = {
        "small": Preset(
            {"form": "1d", "width": 0.2, "depth": 0.2, "head_width": 64},
            about="the 1-D form with fewer and narrower blocks, for a CPU",
        ),
    }

    class Params(Model.Params):
        """Form, size and regularisation."""

        form: Literal["image", "1d"] = Field(
            "image",
            description="leads as rows of a picture, or as input channels",
        )
        width: float = Field(
            1.0,
            ge=0.05,
            le=4,
            description="multiplies all channels but those of the head; rounded to "
            "multiples of 8",
        )
        depth: float = Field(
            1.0, ge=0.05, le=4, description="multiplies each stage's blocks; rounded up"
        )
        stochastic_depth: float = Field(
            0.2,
            ge=0,
            lt=1,
            description="how often a record skips the last block; grows linearly from "
            "none at the first",
        )
        head_width: int = Field(
            128, ge=1, le=4096, description="units of the layer before the last"
        )
        dropout: float = Field(0.3, ge=0, lt=1, description="before the last layer")

    def build(self, leads: int, samples: int, outputs: int) -> nn.Module:
        """The network; logits of shape (batch, outputs)."""
        from .network import EfficientNet

        return EfficientNet(leads, outputs, self.params)
