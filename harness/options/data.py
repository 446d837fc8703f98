"""What a suite may say about how records become batches."""

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
    seed: int = Field(
        0, ge=0, description="of the stratified split, and of label_ratio"
    )
    validation: Fraction = Field(0.1, gt=0, description="share of patients")
    test: Fraction = Field(0.2, gt=0, description="share of patients")
    file: str | None = Field(
        None,
        description='JSON file {"train": [ids], "validation": [...], "test": [...]}, '
        'relative to the suite; {"data set": {"train": [ids], "val": ...}} too',
    )
    label_ratio: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the training patients that is kept, stratified by class",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Split:
        if self.file is not None and self.folds is not None:
            raise ValueError("give either folds or file, not both")
        if self.validation + self.test >= 1:
            raise ValueError("validation and test leave nothing to train on")
        return self


class Chunks(Parameters):
    """How records that are longer than `seconds` are judged: by all their windows,
    whose probabilities become one. Training isn't changed.
    """

    stride_seconds: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="from the start of a window to that of the next, s; at most, and "
        "by default, `seconds`",
    )
    combine: Literal["mean", "max"] = Field(
        "mean",
        description="a record's probability: the mean over its windows, or the largest",
    )


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
    chunks: Chunks | None = Field(
        None,
        description="judge longer records by all their windows; default: by the middle",
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
