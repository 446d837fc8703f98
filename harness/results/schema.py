"""The files of a runs folder, as the report reads them.

Written by another process, perhaps by another version or by hand, so every value is
checked. A cost that is None was not measured; keys that aren't shown are ignored.
"""

from __future__ import annotations

from typing import Literal

from harness.results.checked_values import (
    Counts,
    File,
    Number,
    Place,
    Plain,
    Seed,
    Share,
    Whole,
)
from harness.results.cost_schema import Cost, Required, Size


class ControlOf(File):
    """What a control stands beside (the id of a cell), and as what."""

    of: str
    name: str


class DataChoice(File):
    """Which data a cell is trained on: what differs from the defaults."""

    name: str
    params: dict[str, Plain] = {}
    options: dict[str, Plain] = {}


class SuiteCell(File):
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
    data: DataChoice | None = None


class SuiteFile(File):
    """`suites/<suite>.json`."""

    schema_version: Literal[1]
    suite: str
    title: str = ""
    cells: list[SuiteCell]
    gate: dict[str, Plain] = {}
    """What the suite lets pass, where it differs from the defaults."""


class SplitCounts(File):
    """What a split holds."""

    records: Whole
    patients: Whole | None = None
    classes: Counts = {}


class BadRecord(File):
    """A record that was left out because it can't be used."""

    record: str
    reason: str


class ChunksPart(File):
    """How records that are longer than `seconds` were judged."""

    stride_seconds: Number
    combine: Literal["mean", "max"]


class DatasetPart(File):
    """What a cell was measured on."""

    label: str
    name: str
    version: Whole
    task: Literal["single-label", "multi-label"]
    classes: list[str]
    leads: list[str]
    sampling_rate: float
    seconds: float | Literal["whole"] | None = None
    chunks: ChunksPart | None = None
    """None: by their middle."""
    label_rule: str
    synthetic: bool = False
    fingerprint: str
    license: str = ""
    citation: str = ""
    counts: dict[str, SplitCounts] = {}
    excluded: Counts = {}
    bad_records: list[BadRecord] = []


class ModelPart(File):
    """The network; `parameters` is the number of its weights."""

    label: str
    name: str
    version: Whole
    parameters: Whole | None = None


class StrategyPart(File):
    """The strategies that a cell composes, in order."""

    label: str
    names: list[str]
    versions: dict[str, Whole] = {}
    footnotes: list[str] = []
    """What a reader must know of the parameters."""


class Metrics(File):
    """Quality on one split, as `harness.metrics.metrics` defines it."""

    macro_f1: Share | None = None
    accuracy: Share | None = None
    exact_match: Share | None = None
    label_accuracy: Share | None = None
    macro_auroc: Share | None = None
    mean_average_precision: Share | None = None
    calibration_error: Share | None = None
    log_loss: Number | None = None
    class_subsets: dict[str, Share] = {}


class ClassMetrics(Metrics):
    """Quality on the test split, class by class too."""

    f1: dict[str, Share] = {}
    precision: dict[str, Share] = {}
    recall: dict[str, Share] = {}
    support: Counts = {}
    confusion: list[list[Whole]] | None = None
    """Of single-label tasks: counts, rows true, columns predicted."""


BY_CLASS = frozenset(ClassMetrics.model_fields) - frozenset(Metrics.model_fields)


class TunedMetrics(File):
    """Quality at the thresholds that are best on the validation split."""

    macro_f1: Share | None = None
    thresholds: dict[str, Number] = {}


class SplitMetrics(File):
    """Quality by split."""

    test: ClassMetrics
    test_tuned: TunedMetrics | None = None
    """Of multi-label tasks."""


class Snapshot(File):
    """A named state of the weights, judged once training was over."""

    name: str
    axes: dict[str, Place] = {}
    file: str
    test: Metrics = Metrics()
    size: Size | None = None


class Provenance(File):
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


class Result(File):
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


class Seconds(File):
    """Time by what it was spent on, in s."""

    training: Number | None = None


class Latency(File):
    """Median time of one record's forward, in s; of snapshots by their file."""

    final: Number | None = None
    snapshots: dict[str, Number | None] = {}


class Measured(File):
    """`measured.json`: what differs from run to run."""

    seconds: Seconds = Seconds()
    latency_seconds: Latency = Latency()
    hardware: str = ""


class EpochScores(File):
    """Quality on some samples of an epoch."""

    macro_f1: Share | None = None
    loss: Place | None = None


class EpochRow(File):
    """A line of `history.jsonl`."""

    epoch: Whole
    loops: dict[str, Whole] = {}
    """Indices of outer loops, as rounds of pruning."""
    loss: Place | None = None
    """Of training."""
    training: EpochScores = EpochScores()
    validation: EpochScores = EpochScores()
    # Shares of weights that are added up in another order may come out above 1.
    kept_share: Number | None = None
    kept_share_by_class: dict[str, Number | None] = {}
    sparsity: Share | None = None
    """Of the weights that can be pruned, at its end."""
    # Both so far.
    effective_epochs: Number | None = None
    flops: Number | None = None
    """Of training."""


class Failure(File):
    """`failure.json`: why a cell has no result."""

    kind: str
    message: str
