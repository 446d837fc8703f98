"""What a suite may say about data, budget and execution, with every default.

These models are the single source of `harness schema`, of validation and of the
part of a cell's identity that is no plugin's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from harness.plugin import Parameters

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Filter(Parameters):
    """Zero-phase Butterworth filter, applied at the record's own sampling rate."""

    highpass: float | None = Field(None, gt=0, description="cut-off, Hz")
    lowpass: float | None = Field(None, gt=0, description="cut-off, Hz")
    order: int = Field(2, ge=1, le=8)

    @model_validator(mode="after")
    def _has_a_band(self) -> Filter:
        if self.highpass is None and self.lowpass is None:
            raise ValueError("give highpass, lowpass or both, in Hz")
        if self.highpass and self.lowpass and self.highpass >= self.lowpass:
            raise ValueError("highpass must lie below lowpass")
        return self


class Split(Parameters):
    """How records are divided into train, validation and test; never by record alone
    where a patient has several.
    """

    folds: Literal["official", "stratified"] | None = Field(
        None, description="default: official where the set has folds, else stratified"
    )
    seed: int = Field(0, ge=0, description="of the stratified split")
    validation: Fraction = Field(0.1, gt=0, description="share of patients")
    test: Fraction = Field(0.2, gt=0, description="share of patients")
    file: str | None = Field(
        None,
        description='JSON file {"train": [ids], "validation": [...], "test": [...]}, '
        "relative to the suite",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Split:
        if self.file is not None and self.folds is not None:
            raise ValueError("give either folds or file, not both")
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")
        return self


Normalise = Literal["record", "record-minmax", "train-lead", "train-global", "none"]


class DataOptions(Parameters):
    """How the core turns a data set's records into batches."""

    leads: list[str] | None = Field(
        None, description="default: all, in the set's order"
    )
    sampling_rate: float | None = Field(
        None, gt=0, le=2000, description="Hz; default: the set's own"
    )
    seconds: float | Literal["whole"] | None = Field(
        None, description='length of a sample in s, or "whole" (padded and masked)'
    )
    normalise: Normalise = "record"
    filter: Filter | None = None
    split: Split = Split()
    side: list[Literal["age", "sex"]] = Field(
        default_factory=list, description="side features handed over with a batch"
    )
    root: str | None = Field(None, description="folder of the data set itself")
    on_bad_record: Literal["error", "skip"] = "error"

    @field_validator("seconds")
    @classmethod
    def _positive(cls, seconds: float | str | None) -> float | str | None:
        if isinstance(seconds, float) and not 0 < seconds <= 86_400:
            raise ValueError("must be greater than 0 s and at most a day")
        return seconds


class AdamW(Parameters):
    """Adam with decoupled weight decay."""

    use: Literal["adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    betas: list[float] = Field([0.9, 0.999], min_length=2, max_length=2)


class Adam(Parameters):
    """Adam with weight decay coupled to the gradient (L2)."""

    use: Literal["adam"]
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    betas: list[float] = Field([0.9, 0.999], min_length=2, max_length=2)


class SGD(Parameters):
    """Stochastic gradient descent with momentum."""

    use: Literal["sgd"]
    lr: float = Field(0.1, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False


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


class Budget(Parameters):
    """What every strategy of a suite may spend; part of a cell's identity."""

    epochs: int = Field(10, ge=1, le=100_000)
    batch_size: int = Field(64, ge=1)
    optimizer: Optimizer = AdamW()
    schedule: Schedule = Constant()
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    threads: int = Field(1, ge=1, le=1024, description="CPU threads of a cell")
    class_weights: Literal["none", "sqrt", "balanced"] = Field(
        "none",
        description="weigh losses by 1, by 1/sqrt(frequency) or by 1/frequency of the "
        "class in the training split, of mean 1; single-label only",
    )
    weights: Literal["best-validation", "last"] = "best-validation"
    augment: list[Augmentation] = Field(default_factory=list)
    clip_norm: float | None = Field(None, gt=0, description="of the gradient")
    early_stopping: EarlyStopping | None = None

    @field_validator("augment", mode="before")
    @classmethod
    def _names_are_tables(cls, augment: object) -> object:
        if not isinstance(augment, list):
            return augment
        return [{"use": a} if isinstance(a, str) else a for a in augment]


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


class Execution(Parameters):
    """How cells are run; never part of a cell's identity."""

    processes: Literal[1] = Field(1, description="processes of one cell")
    time_limit_minutes: float | None = Field(None, gt=0, description="for each cell")
    checkpoint_seconds: float = Field(
        10.0, ge=0, description="least time between checkpoints after an epoch"
    )
    checkpoint_minutes: float | None = Field(
        None, gt=0, description="least time between checkpoints inside an epoch"
    )
    memory_budget_gib: float = Field(
        8.0, gt=0, description="data held in memory by a cell; more is streamed"
    )
