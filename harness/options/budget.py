"""What every strategy of a suite may spend: part of a cell's identity."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from harness.options.data import Fraction
from harness.plugin import Parameters

Decay = Annotated[
    Literal["all", "weights"],
    Field(description='what decays; "weights" leaves biases and norms out'),
]


class AdamW(Parameters):
    """Adam with decoupled weight decay."""

    use: Literal["adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    betas: list[float] = Field([0.9, 0.999], min_length=2, max_length=2)
    decay: Decay = "all"


class Adam(Parameters):
    """Adam with weight decay coupled to the gradient (L2)."""

    use: Literal["adam"]
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    betas: list[float] = Field([0.9, 0.999], min_length=2, max_length=2)
    decay: Decay = "all"


class SGD(Parameters):
    """Stochastic gradient descent with momentum."""

    use: Literal["sgd"]
    lr: float = Field(0.1, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    decay: Decay = "all"


Optimizer = Annotated[AdamW | Adam | SGD, Field(discriminator="use")]


class Constant(Parameters):
    """The optimizer's learning rate throughout."""

    use: Literal["constant"] = "constant"


class Step(Parameters):
    """Multiply the rate by `gamma` after every `epochs` epochs."""

    use: Literal["step"]
    gamma: float = Field(0.98, gt=0, le=1)
    epochs: float = Field(1.0, gt=0)


class Cosine(Parameters):
    """Linear warm-up, then half a cosine down to `final` times the rate."""

    use: Literal["cosine"]
    warmup: Fraction = Field(0.0, description="share of the budget")
    final: Fraction = Field(0.0, description="share of the rate")


class OneCycle(Parameters):
    """Cosine up from rate/div to the rate, then down to rate/div/final_div.

    Smith & Topin, arXiv 1708.07120, in the two-phase form that torch has.
    """

    use: Literal["one-cycle"]
    rise: Fraction = Field(0.3, gt=0, description="share of the budget spent rising")
    div: float = Field(25.0, gt=1)
    final_div: float = Field(1e4, ge=1)
    cycle_momentum: bool = Field(
        True, description="beta1 or momentum .95 -> .85 -> .95"
    )


class Plateau(Parameters):
    """Multiply the rate by `factor` when validation loss has not improved for more
    than `patience` epochs.
    """

    use: Literal["plateau"]
    factor: float = Field(0.1, gt=0, lt=1)
    patience: int = Field(2, ge=0, description="epochs")


Schedule = Annotated[
    Constant | Step | Cosine | OneCycle | Plateau, Field(discriminator="use")
]


class RandomCrop(Parameters):
    """A random window of the record, or a random place in the padding."""

    use: Literal["random-crop"]


class Mixup(Parameters):
    """Convex mixes of two samples and their labels (Zhang et al., arXiv 1710.09412)."""

    use: Literal["mixup"]
    alpha: float = Field(0.2, gt=0)


class CutMix(Parameters):
    """A stretch of time from another sample, labels mixed by its share
    (Yun et al., arXiv 1905.04899).
    """

    use: Literal["cutmix"]
    alpha: float = Field(1.0, gt=0)


Augmentation = Annotated[RandomCrop | Mixup | CutMix, Field(discriminator="use")]


class EarlyStopping(Parameters):
    """Stop when validation macro-F1 has not risen for `patience` epochs."""

    patience: int = Field(10, ge=1, description="epochs")


MATCHED = "match"
"""The role under which a matched cell requires what it is matched to."""


class Match(Parameters):
    """Train for as long as another cell did: the schedule is stretched to it."""

    what: Literal["effective-epochs", "flops"] = Field(
        description="spend as many samples backpropagated, or as many training FLOPs"
    )
    of: str = Field(
        "",
        description="the strategy to match, by its label in the suite: its cell of the "
        "same data set, model and seed",
    )


class Budget(Parameters):
    """What every strategy of a suite may spend; part of a cell's identity."""

    epochs: int = Field(10, ge=1, le=100_000)
    batch_size: int = Field(64, ge=1)
    micro_batch: int | None = Field(
        None,
        ge=1,
        description="samples in memory at a time: a batch goes through in parts of "
        "this size, and their gradients accumulate; default: the whole batch",
    )
    optimizer: Optimizer = AdamW()
    schedule: Schedule = Constant()
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    threads: int = Field(1, ge=1, le=1024, description="CPU threads of a cell")
    class_weights: Literal["none", "sqrt", "balanced"] = Field(
        "none",
        description="weigh losses by 1, by 1/sqrt(frequency) or by 1/frequency of the "
        "class in the training split, of mean 1; single-label only",
    )
    negative_weight: float = Field(
        1.0,
        gt=0,
        le=1,
        description="multiplies the losses of classes that are absent; multi-label "
        "only",
    )
    weights: Literal["best-validation", "last"] = "best-validation"
    augment: list[Augmentation] = Field(default_factory=list)
    clip_norm: float | None = Field(None, gt=0, description="of the gradient")
    early_stopping: EarlyStopping | None = None
    match: Match | None = None

    @field_validator("augment", mode="before")
    @classmethod
    def _names_are_tables(cls, augment: object) -> object:
        if not isinstance(augment, list):
            return augment
        return [{"use": a} if isinstance(a, str) else a for a in augment]
