"""The files of a runs folder, as the report reads them.

Written by another process, perhaps by another version or by hand, so every value is
checked. A cost that is None was not measured; keys that aren't shown are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# Bounded, so that no ratio or sum of them can overflow.
Number = Annotated[int | float, Field(ge=0, le=1e30)]
Share = Annotated[float, Field(ge=0, le=1)]
Counts = dict[str, int]


class _File(BaseModel):
    model_config = ConfigDict(
        extra="ignore", frozen=True, strict=True, allow_inf_nan=False
    )


class SuiteCell(_File):
    """One cell of a suite: where it stands in the matrix and where its files are."""

    id: str
    folder: str
    """Relative to the runs folder."""
    dataset: str
    model: str | None
    """None for floors that use no model."""
    strategy: str
    seed: int
    role: Literal["suite", "required"] = "suite"


class SuiteFile(_File):
    """`suites/<suite>.json`."""

    schema_version: Literal[1]
    suite: str
    title: str = ""
    cells: list[SuiteCell]


class SplitCounts(_File):
    """What a split holds."""

    records: int
    patients: int | None = None
    classes: Counts = {}


class BadRecord(_File):
    """A record that was left out because it can't be used."""

    record: str
    reason: str


class DatasetPart(_File):
    """What a cell was measured on."""

    label: str
    name: str
    version: int
    task: Literal["single-label", "multi-label"]
    classes: list[str]
    leads: list[str]
    sampling_rate: float
    seconds: float | Literal["whole"] | None = None
    label_rule: str
    synthetic: bool = False
    fingerprint: str
    license: str = ""
    citation: str = ""
    counts: dict[str, SplitCounts] = {}
    excluded: Counts = {}
    bad_records: list[BadRecord] = []


class ModelPart(_File):
    """The network; `parameters` is the number of its weights."""

    label: str
    name: str
    version: int
    parameters: int | None = None


class StrategyPart(_File):
    """The strategies that a cell composes, in order."""

    label: str
    names: list[str]
    versions: dict[str, int] = {}


class Metrics(_File):
    """Quality on one split, as `harness.metrics` defines it."""

    macro_f1: Share | None = None
    accuracy: Share | None = None
    exact_match: Share | None = None
    label_accuracy: Share | None = None
    macro_auroc: Share | None = None
    log_loss: Number | None = None
    class_subsets: dict[str, Share] = {}


class SplitMetrics(_File):
    """Quality by split."""

    test: Metrics


class Flops(_File):
    """1 multiply-add = 2 FLOPs."""

    training: Number | None = None


class Finding(_File):
    """FLOPs of one place, as counted in the audit and as metered."""

    where: str
    counted: Number
    metered: Number


class Audit(_File):
    """Real steps, counted by a second way, against the metered figure."""

    status: Literal["passed", "flagged", "incomplete"]
    largest_difference: Number | None = None
    """As a share of the counted FLOPs."""
    findings: list[Finding] = []
    removed_hooks: list[str] = []
    """Modules that a plugin took the meter off."""


class PeakMemory(_File):
    """Live tensor bytes at the peak of training."""

    total: Number | None = None


class Sparsity(_File):
    """Share of weights that are zero."""

    prunable: Share | None = None
    all: Share | None = None


class Cost(_File):
    """What the meter counted."""

    effective_epochs: Number | None = None
    forward_epochs: Number | None = None
    flops: Flops | None = None
    not_counted: list[Any] = []
    audit: Audit | None = None
    peak_memory_bytes: PeakMemory | None = None
    sparsity: Sparsity | None = None


class Provenance(_File):
    """What the cell was run with."""

    harness: str = ""
    python: str = ""
    torch: str = ""
    plugins: dict[str, str] = {}
    threads: int | None = None
    precision: str = ""
    device_type: str = ""


class Result(_File):
    """`result.json`: there or not there, never half."""

    schema_version: Literal[1]
    cell: str
    seed: int
    dataset: DatasetPart
    model: ModelPart | None = None
    strategy: StrategyPart
    budget: dict[str, Any] = {}
    metrics: SplitMetrics
    cost: Cost = Cost()
    provenance: Provenance = Provenance()


class Seconds(_File):
    """Time by what it was spent on, in s."""

    training: Number | None = None


class Measured(_File):
    """`measured.json`: what differs from run to run."""

    seconds: Seconds = Seconds()
    hardware: str = ""


class Failure(_File):
    """`failure.json`: why a cell has no result."""

    kind: str
    message: str
