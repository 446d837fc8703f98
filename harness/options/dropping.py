"""How the core treats a batch of which a strategy keeps only some samples."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness.plugin import Parameters


class Dropping(Parameters):
    """How the core treats a batch of which a strategy keeps only some samples.

    A strategy that implements `select_samples` may inherit its `Params` from this.
    """

    min_keep: int = Field(
        0, ge=0, description="samples kept of each batch at least, hardest first"
    )
    pack: bool = Field(
        False, description="collect kept samples into full batches before each step"
    )
    batchnorm: Literal["kept", "full", "both"] = Field(
        "kept",
        description="whose statistics BatchNorm's running averages follow: the kept "
        "samples', the full batch's (from a scoring pass in train mode), or both",
    )
    reestimate_batchnorm: bool = Field(
        False,
        description="renew BatchNorm's statistics from the training records before "
        "each validation (metered)",
    )
    average_over: Literal["kept", "batch"] = Field(
        "kept", description="the loss is averaged over the kept samples, or the batch"
    )

    @model_validator(mode="after")
    def _packed_batches_have_no_origin(self) -> Dropping:
        if self.pack and self.average_over == "batch":
            raise ValueError(
                'average_over = "batch" and pack exclude each other: a packed batch is '
                "of many batches"
            )
        return self
