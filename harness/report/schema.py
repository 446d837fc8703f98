"""The files of a runs folder, as the report reads them.

Written by another process, perhaps by another version or by hand, so every value is
checked. A cost that is None was not measured; keys that aren't shown are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Bounded, so that no ratio or sum of them can overflow.
Number = Annotated[int | float, Field(ge=0, le=1e30)]
Share = Annotated[float, Field(ge=0, le=1)]
# Whole numbers that a float can hold, so that no mean of them can overflow.
Whole = Annotated[int, Field(ge=0, le=1 << 53)]
Seed = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Place = Annotated[int | float, Field(ge=-1e30, le=1e30)]
Counts = dict[str, Whole]
DEEPEST = 20


def _shallow(value: Any, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise ValueError("is nested too deeply")
    inner = value.values() if isinstance(value, dict) else value
    for item in inner if isinstance(value, dict | list) else ():
        _shallow(item, depth + 1)
    return value


# What a plugin or a later version may say as it likes, as long as it can be shown.
Plain = Annotated[Any, AfterValidator(_shallow)]


class _File(BaseModel):
    model_config = ConfigDict(
        extra="ignore", frozen=True, strict=True, allow_inf_nan=False
    )


class ControlOf(_File):
    """What a control stands beside (the id of a cell), and as what."""

    of: str
    name: str


class SuiteCell(_File):
    """One cell of a suite: where it stands in the matrix and where its files are."""

    id: str
    folder: str
    """Relative to the runs folder."""
    dataset: str
    model: str | None
    """None for floors that use no model."""
    strategy: str
    seed: Seed
    role: Literal["suite", "control", "required"] = "suite"
    controls: list[ControlOf] = []
    requires: dict[str, str] = {}
    """Ids of the cells that it requires, by role."""


class SuiteFile(_File):
    """`suites/<suite>.json`."""

    schema_version: Literal[1]
    suite: str
    title: str = ""
    cells: list[SuiteCell]


class SplitCounts(_File):
    """What a split holds."""

    records: Whole
    patients: Whole | None = None
    classes: Counts = {}


class BadRecord(_File):
    """A record that was left out because it can't be used."""

    record: str
    reason: str


class DatasetPart(_File):
    """What a cell was measured on."""

    label: str
    name: str
    version: Whole
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
    version: Whole
    parameters: Whole | None = None


class StrategyPart(_File):
    """The strategies that a cell composes, in order."""

    label: str
    names: list[str]
    versions: dict[str, Whole] = {}
    footnotes: list[str] = []
    """What a reader must know of the parameters."""


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
    not_counted: list[Plain] = []
    audit: Audit | None = None
    peak_memory_bytes: PeakMemory | None = None
    sparsity: Sparsity | None = None


class RequiredCell(_File):
    """A cell that was needed to train another one, and what it cost."""

    dataset: str
    model: str | None = None
    strategies: list[str]
    seed: Seed
    training_flops: Number | None = None
    audit: Literal["passed", "flagged", "incomplete"] | None = None
    not_counted: list[Plain] = []


class Total(_File):
    """What a cell cost, with all that it requires, each once."""

    training_flops: Number | None = None


class Required(_File):
    """The cells that a cell requires: ids by role, cost by id."""

    roles: dict[str, str]
    cells: dict[str, RequiredCell]
    total: Total


class Stored(_File):
    """Bytes of weights and buffers, zeros of prunable weights left out."""

    values: Whole
    index: Whole
    other: Whole
    total: Whole
    dense_total: Whole


class Size(_File):
    """How large a state of the network is, as `harness.cost.size` measures it."""

    parameters: Whole
    prunable: Whole
    remaining: Whole
    remaining_by_layer: Counts = {}
    layers: list[str] = []
    """The layers of `remaining_by_layer`, in the order of the network."""
    sparsity: Share | None = None
    reduction_factor: Number | None = None
    stored_bytes: Stored | None = None
    dense_macs: Number | None = None
    sparse_macs: Number | None = None


class Snapshot(_File):
    """A named state of the weights, judged once training was over."""

    name: str
    axes: dict[str, Place] = {}
    file: str
    test: Metrics = Metrics()
    size: Size | None = None


class Provenance(_File):
    """What the cell was run with."""

    harness: str = ""
    python: str = ""
    torch: str = ""
    plugins: dict[str, str] = {}
    threads: Whole | None = None
    processes: Whole = 1
    batch_independent: bool = True
    precision: str = ""
    device_type: str = ""


class Result(_File):
    """`result.json`: there or not there, never half."""

    schema_version: Literal[1]
    cell: str
    seed: Seed
    dataset: DatasetPart
    model: ModelPart | None = None
    strategy: StrategyPart
    budget: dict[str, Plain] = {}
    metrics: SplitMetrics
    snapshots: list[Snapshot] = []
    size: Size | None = None
    cost: Cost = Cost()
    required: Required | None = None
    provenance: Provenance = Provenance()


class Seconds(_File):
    """Time by what it was spent on, in s."""

    training: Number | None = None


class Latency(_File):
    """Median time of one record's forward, in s; of snapshots by their file."""

    final: Number | None = None
    snapshots: dict[str, Number | None] = {}


class Measured(_File):
    """`measured.json`: what differs from run to run."""

    seconds: Seconds = Seconds()
    latency_seconds: Latency = Latency()
    hardware: str = ""


class EpochScores(_File):
    """Quality on some samples of an epoch."""

    macro_f1: Share | None = None


class EpochRow(_File):
    """A line of `history.jsonl`."""

    epoch: Whole
    loops: dict[str, Whole] = {}
    """Indices of outer loops, as rounds of pruning."""
    training: EpochScores = EpochScores()
    validation: EpochScores = EpochScores()
    # Shares of weights that are added up in another order may come out above 1.
    kept_share: Number | None = None
    kept_share_by_class: dict[str, Number | None] = {}
    flops: Number | None = None
    """Of training, so far."""


class Failure(_File):
    """`failure.json`: why a cell has no result."""

    kind: str
    message: str
