"""A residual 1-D network with squeeze-and-excitation, a backbone for distillation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from harness import Field, Model, Preset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


class SEResNet(Model):
    """Wide residual 1-D CNN with squeeze-and-excitation and four stages to distil.

    Pre-activation blocks (He et al. 2016, arXiv 1603.05027), each gated by squeeze and
    excitation (Hu et al. 2018, arXiv 1709.01507), as the team DSAIL_SNU trained them
    for the Challenge of 2021. For 3 outputs there are 1,811,474 parameters on 12 leads
    and 1,808,834 on one. Stages double the channels; all but the first divide the
    steps by `stride` and round down, so that 5,000 samples become 5,000, 1,250, 312
    and 78 steps. Shorter signals than one step of the last stage (64 samples) are
    padded to it with zeros.

    Age, sex and the like enter at the last layer, as `side_features` numbers a record:
    the harness hands over five where the suite asks for `side`. Zeros are in the place
    of what isn't handed over.

    In training, a batch of one record needs two steps in the last stage (128 samples):
    BatchNorm has no variance of a single value.
    """

    name = "se_resnet"
    reference = (
        "Han et al. 2021, CinC 2021 #80; Han et al. 2023, Physiol. Meas. 44(5) 054003"
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "small": Preset(
            {"width": 0.5, "blocks": 2, "kernel": 9},
            about="narrower, shallower and with shorter kernels, for a CPU: 175,074 "
            "parameters on 12 leads with three outputs",
        ),
    }

    class Params(Model.Params):
        """Size and regularisation."""

        width: float = Field(
            1.0,
            ge=0.0625,
            le=16,
            description="multiplies all channels: 16 in the first convolution and the "
            "first stage, doubled by each further stage",
        )
        blocks: int = Field(3, ge=1, le=16, description="of two convolutions, a stage")
        kernel: int = Field(15, ge=1, le=127, description="samples or steps")
        stride: int = Field(
            4, ge=1, le=8, description="of the first block of stages 2 to 4; in steps"
        )
        dropout: float = Field(
            0.2, ge=0, lt=1, description="within blocks and before the pooling"
        )
        reduction: int = Field(
            16,
            ge=1,
            le=256,
            description="channels for each unit of the squeeze, which has at least one",
        )
        side_features: int = Field(
            5,
            ge=0,
            le=64,
            description="numbers a record beside the signal that the last layer takes",
        )

        @model_validator(mode="after")
        def _no_sample_is_skipped(self) -> Self:
            if self.kernel < self.stride:
                raise ValueError(
                    f"kernel = {self.kernel} skips samples between strides of "
                    f"{self.stride}; it must be at least stride"
                )
            return self

    def build(self, leads: int, samples: int, outputs: int) -> nn.Module:
        """The network; logits of shape (batch, outputs)."""
        from .network import Network

        return Network(leads, outputs, self.params)
