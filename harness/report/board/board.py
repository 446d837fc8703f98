"""A leaderboard as values: data sets, tables, rows, and the cells of each.

Markdown, web page, terminal, diff, CSV and LaTeX show this and compute nothing of their
own. The JSON file is its serialised form (`Board.to_json`), which `Board.from_json`
reads again, also as other versions wrote it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from harness.files.atomic import to_json
from harness.report.board.parts import (
    BaselineComparison,
    Comparison,
    ControlComparison,
    Figure,
    FlatFigures,
    Front,
    Part,
    RowIntervals,
    Summary,
    TimeToTarget,
)
from harness.results.checked_values import Counts, Plain, Seed, Whole
from harness.results.cost_schema import Audit, Required
from harness.results.schema import BadRecord, ChunksPart, Failure, SplitCounts

SCHEMA_VERSION: Literal[1] = 1

CELL_FIGURES = (
    "macro_f1",
    "macro_f1_tuned",
    "accuracy",
    "exact_match",
    "label_accuracy",
    "macro_auroc",
    "mean_average_precision",
    "calibration_error",
    "log_loss",
    "effective_epochs",
    "forward_epochs",
    "training_flops",
    "relative_compute",
    "sparsity",
    "sparsity_all",
    "peak_memory_bytes",
    "training_seconds",
)
SNAPSHOT_FIGURES = (
    *("macro_f1", "accuracy", "latency_seconds"),
    *("parameters", "prunable", "remaining", "sparsity", "reduction_factor"),
    *("dense_macs", "sparse_macs"),
    *("stored_values", "stored_index", "stored_other", "stored_total"),
    "stored_dense_total",
)


_SHARES = frozenset(
    {
        *("macro_f1", "macro_f1_tuned", "accuracy", "exact_match", "label_accuracy"),
        *("macro_auroc", "mean_average_precision", "calibration_error"),
    }
)


def _bounded(figures: dict[str, float | None]) -> dict[str, float | None]:
    """Refuse what no cell can have measured, so that no ratio of it surprises."""
    for name, value in figures.items():
        most = 1.0 if name in _SHARES else 1e30
        if value is not None and not 0 <= value <= most:
            raise ValueError(f"{name} should be from 0 to {most:g}, got {value!r}")
    return figures


def _whole_or_none(value: Any) -> Any:
    """None for what early versions wrote there."""
    return value if isinstance(value, int) else None


class CellOfRow(FlatFigures):
    """One cell of a row: its state, why it failed, and its figures.

    Attributes
    ----------
    stale
        Plugins, by kind and name, whose source was edited since.
    own_training_flops
        Without what it requires.
    """

    FIGURES = frozenset(CELL_FIGURES)
    IF_SET = frozenset({"own_training_flops", "required", "audit"})
    IF_ANY = frozenset({"stale"})

    cell: str = ""
    seed: Seed
    strategy: str = ""
    status: str
    failure: Failure | None = None
    stale: list[str] = []
    own_training_flops: Figure | None = None
    required: Required | None = None
    audit: Audit | None = None
    figures: Annotated[dict[str, Figure | None], AfterValidator(_bounded)] = {}

    def figure(self, name: str) -> float | None:
        """None where it wasn't measured, or isn't known to the file."""
        return self.figures.get(name)


class SnapshotPoint(FlatFigures):
    """A state of the weights on the way, over seeds: its name, its place on axes, what
    it is worth and how large it is.
    """

    FIGURES = frozenset(SNAPSHOT_FIGURES)

    snapshot: str
    axes: dict[str, Figure]
    figures: dict[str, Summary | None] = {}

    def figure(self, name: str) -> Summary | None:
        """None where it wasn't measured, or isn't known to the file."""
        return self.figures.get(name)


class Layer(Part):
    """A prunable layer: its weights that aren't zero, at the first and the last point
    of the row's snapshots.
    """

    layer: str
    first: Summary | None
    last: Summary | None


class RequiredOfRow(Part):
    """What a row's cells require, and its share of their cost.

    `training_flops` are those of all required cells, each counted once a seed.
    """

    strategies: list[str]
    flagged: bool
    training_flops: Summary | None


class Amortised(Part):
    """The cost of a row where each required cell is shared by all that need it."""

    own_training_flops: Summary | None
    training_flops: Summary | None
    relative_compute: Summary | None
    shared_by: list[Whole]
    forward_share: Summary | None


class Processes(Part):
    """How many processes shared a cell of the row, and whether that made it another
    cell than that of one process.
    """

    each: list[Whole]
    apart: bool


class Row(FlatFigures):
    """A strategy on one data set and model: its seeds and their figures together.

    Attributes
    ----------
    names, versions
        Of the strategies that it composes; None where no seed is done.
    floor
        Whether it uses no network.
    audit
        The worst of its cells'.
    size
        Of the final weights, by figure.
    own_budget
        Settings that aren't the table's.
    rank, intervals, against_baseline, time_to_target
        What takes predictions and histories; see `harness.report.analysis`.
    """

    FIGURES = frozenset(CELL_FIGURES)
    IF_SET = frozenset({"rank", "intervals", "against_baseline", "time_to_target"})
    IF_ANY = frozenset({"amortised"})

    strategy: str
    names: list[str] | None = None
    versions: dict[str, Whole] | None = None
    footnotes: list[str] = []
    controls: list[str] = []
    floor: bool
    cells: Whole = 0
    done: Whole = 0
    states: Counts = {}
    figures: dict[str, Summary | None] = {}
    class_subsets: dict[str, Summary | None] = {}
    audit: str | None = None
    not_counted: list[str] = []
    required: RequiredOfRow | None = None
    amortised: Amortised | None = None
    processes: Processes | None = None
    size: dict[str, Summary | None] | None = None
    curve: list[SnapshotPoint] = []
    layers: list[Layer] = []
    seeds: list[CellOfRow] = []
    own_budget: dict[str, Plain] = {}
    rank: Whole | None = None
    intervals: RowIntervals | None = None
    against_baseline: BaselineComparison | None = None
    time_to_target: TimeToTarget | None = None

    def figure(self, name: str) -> Summary | None:
        """None where it wasn't measured, or isn't known to the file."""
        return self.figures.get(name)

    @property
    def is_whole(self) -> bool:
        """Whether all of its seeds are done."""
        return self.done == self.cells


class WithoutRecords(Part):
    """Seeds of a row whose predictions can't be used, and why."""

    strategy: str
    seeds: list[Seed]
    reason: str


class Table(Part):
    """The rows of a data set and a model, best first.

    Attributes
    ----------
    model
        None for a table of floors alone.
    parameters
        Weights of the network; of the largest, since pruning makes it smaller.
    baseline
        The label of the row that costs are relative to.
    fronts
        By the figure of the cost.
    """

    IF_SET = frozenset({"comparisons", "without_records"})

    model: str | None
    parameters: Annotated[Whole | None, BeforeValidator(_whole_or_none)] = None
    model_versions: list[Whole] = []
    baseline: str | None = None
    budget: dict[str, Plain] | None = None
    rows: list[Row]
    fronts: dict[str, Front] = {}
    comparisons: list[ControlComparison] = []
    without_records: list[WithoutRecords] = []


class DataAbout(Part):
    """What a data set's rows were measured on.

    More than one fingerprint or label rule: cells were measured on different data.
    """

    name: str
    version: Whole
    task: Literal["single-label", "multi-label"]
    classes: list[str]
    leads: list[str] = []
    sampling_rate: Figure | None = None
    seconds: Figure | Literal["whole"] | None = None
    chunks: ChunksPart | None = None
    synthetic: bool = False
    license: str = ""
    citation: str = ""
    counts: dict[str, SplitCounts] = {}
    excluded: Counts = {}
    bad_records: list[BadRecord] = []
    fingerprints: list[str]
    label_rules: list[str]


class DatasetTables(Part):
    """The tables of a data set."""

    label: str
    about: DataAbout | None = None
    tables: list[Table]


class MeanRank(Part):
    """A strategy's rank in each table, and their mean."""

    strategy: str
    mean_rank: Figure
    ranks: list[Figure]


class Across(Part):
    """Mean ranks over the tables that rank two rows or more: titles as data set and
    model.
    """

    tables: list[list[str | None]]
    rows: list[MeanRank]


class BoardProvenance(Part):
    """Every version, precision and machine that results came from, sorted."""

    harness: list[str] = []
    python: list[str] = []
    torch: list[str] = []
    threads: list[str] = []
    precision: list[str] = []
    device_type: list[str] = []
    hardware: list[str] = []
    plugins: dict[str, list[str]] = {}


class Gap(Part):
    """The share of the way from the untaught to the teacher, with its 95 % interval; or
    the reason why there is none.
    """

    share: Figure | None
    low: Figure | None
    high: Figure | None
    reason: str | None


class FacetControl(Part):
    """A control on one lead set: its macro-F1, the row against it, and it against the
    cell without teacher (None where there is none).
    """

    name: str
    macro_f1: Summary | None
    against: Comparison
    beside_untaught: Comparison | None


class Facet(Part):
    """What a teacher bought on one lead set; no leads: all of them."""

    leads: list[str]
    cells: Whole
    done: Whole
    macro_f1: Summary | None
    teacher: Summary | None
    controls: list[FacetControl]
    gap: Gap


class FacetGroup(Part):
    """A taught strategy, lead set by lead set, in one line, and what is missing."""

    data: str
    model: str
    strategy: str
    leads: list[Facet]
    summary: str
    problems: list[str]


class Board(Part):
    """The leaderboard of a suite.

    Attributes
    ----------
    states
        How many cells are in each, required ones left out.
    gate
        What the suite lets pass in a comparison, where it differs from the defaults.
    required
        Required cells that aren't done.
    """

    IF_SET = frozenset({"across"})
    IF_ANY = frozenset({"gate", "leads"})

    schema_version: Literal[1]
    suite: str
    title: str = ""
    states: Counts = {}
    gate: dict[str, Plain] = {}
    datasets: list[DatasetTables]
    required: list[CellOfRow] = []
    provenance: BoardProvenance = BoardProvenance()
    leads: list[FacetGroup] = []
    across: Across | None = None

    def to_json(self) -> str:
        """The content of the leaderboard's JSON file."""
        return to_json(self.model_dump())
