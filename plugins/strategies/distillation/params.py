"""What a suite may set of distillation, and the published settings."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import model_validator

from harness import Field, Preset, Strategy

# 0.05 on sums over time, with weights by stage of 1/64, 1/16, 1/4 and 1, is 5.86 on
# means: w_j L_j is 117 in every stage of 7,500 samples.
MEAN_FORM_WEIGHT = 5.86
PUBLISHED = {
    "weight": 0.05,
    "over_time": "sum",
    "stage_weights": [1 / 64, 1 / 16, 1 / 4, 1.0],
}

PRESETS = {
    "faithful": Preset(
        params=PUBLISHED,
        about="divergences summed over time, as in the published code, weighed by 0.05",
        footnote="Distillation as published: divergences are summed over time, so the "
        "sampling rate and the length of the window decide how much the teacher weighs",
    ),
    "published": Preset(
        params=PUBLISHED,
        about="as faithful, on its own budget of 200 epochs; for multi-label tasks",
        budget={
            "epochs": 200,
            "batch_size": 1024,
            "optimizer": {
                "use": "adam",
                "lr": 2e-3,
                "weight_decay": 5e-4,
                "decay": "weights",
            },
            "schedule": {"use": "one-cycle"},
            "augment": [{"use": "mixup", "alpha": 0.2}],
            "negative_weight": 0.1,
        },
    ),
    "answers": Preset(
        params={"stages": 0, "logit_weight": 1.0, "ramp": False},
        about="what the teacher answers, softened, and no stages (Hinton et al. 2015)",
    ),
}


class DistillationParams(Strategy.Params):
    """What is taught, how much it weighs, and by whom."""

    weight: float = Field(
        MEAN_FORM_WEIGHT,
        ge=0,
        description="lambda: what the divergence of stages is multiplied by",
    )
    stages: int = Field(
        2, ge=0, description="n: how many of the deepest stages are distilled"
    )
    stage_weights: list[float] | None = Field(
        None,
        description="w: one for each stage of the model, shallow to deep; default: all "
        "1",
    )
    over_time: Literal["mean", "sum"] = Field(
        "mean", description="what is made of a stage's divergences over its steps"
    )
    temperature: float = Field(
        1.0, gt=0, description="tau: of stages, whose divergence is multiplied by tau^2"
    )
    standardise: bool = Field(
        False,
        description="give the channels of a step zero mean and unit variance before "
        "they become a distribution, which large values would saturate",
    )
    logit_weight: float = Field(
        0.0, ge=0, description="what the divergence of answers is multiplied by"
    )
    logit_temperature: float = Field(
        4.0, gt=0, description="theta: of answers; their divergence times theta^2"
    )
    ramp: bool = Field(
        True, description="let the teacher's weight rise over epochs, as a sigmoid"
    )
    ramp_middle: float = Field(
        15.0, ge=0, description="epoch, from 0, at which half of the weight is reached"
    )
    ramp_width: float = Field(3.0, gt=0, description="of the sigmoid, in epochs")
    teacher: Literal["trained", "shuffled", "untrained", "self"] = Field(
        "trained",
        description="trained on all leads; three controls: trained, but shown another "
        "record; never trained; trained on the student's own leads",
    )
    teacher_leads: list[str] | None = Field(
        None, description="that the teacher sees; default: all of the data set"
    )
    teacher_model: str | None = Field(
        None, description="another model for the teacher; default: the student's"
    )
    teacher_model_params: dict[str, Any] = Field(
        default_factory=dict, description="parameters of the teacher's model"
    )

    @model_validator(mode="after")
    def _weights_are_weights(self) -> Self:
        if self.stage_weights is not None and min(self.stage_weights, default=-1) < 0:
            raise ValueError("stage_weights must be a list of numbers of at least 0")
        return self

    @model_validator(mode="after")
    def _teaching_oneself_needs_no_other(self) -> Self:
        other = self.teacher_leads or self.teacher_model or self.teacher_model_params
        if self.teacher == "self" and other:
            raise ValueError(
                'teacher = "self" is the student\'s own network on its own leads: leave'
                " out teacher_leads, teacher_model and teacher_model_params"
            )
        return self

    @property
    def teaches(self) -> bool:
        """Whether the teacher has a say at all."""
        return self.stages * self.weight > 0 or self.logit_weight > 0

    def ramp_at(self, epoch: int) -> float:
        """m(e) of an epoch from 0: by default 0.0067, 0.5 and 0.993 at 0, 15, 30."""
        if not self.ramp:
            return 1.0
        return 1 / (1 + math.exp(-(epoch - self.ramp_middle) / self.ramp_width))
