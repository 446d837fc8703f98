"""A leaderboard's JSON file, as far as two of them are compared.

It may have been written by another version, or by hand, so every value is checked.
"""

from __future__ import annotations

from typing import Literal

from harness.results.checked_values import (
    Counts,
    File,
    Number,
    Plain,
    Seed,
    Share,
    Whole,
)
from harness.results.schema import ChunksPart


class TestSplit(File):
    """What the test split holds."""

    records: Whole
    patients: Whole | None = None
    classes: Counts = {}


class SplitsFile(File):
    """What the splits hold, as far as it's scored."""

    test: TestSplit | None = None


class DataFile(File):
    """What a data set's rows were measured on."""

    name: str
    version: Whole
    task: str
    classes: list[str]
    fingerprints: list[str]
    label_rules: list[str]
    counts: SplitsFile = SplitsFile()
    leads: list[str] = []
    sampling_rate: Number | None = None
    seconds: Number | Literal["whole"] | None = None
    chunks: ChunksPart | None = None


class SeedFile(File):
    """A cell of a row, and its figures."""

    seed: Seed
    status: str
    macro_f1: Share | None = None
    macro_auroc: Share | None = None
    accuracy: Share | None = None
    effective_epochs: Number | None = None
    forward_epochs: Number | None = None
    training_flops: Number | None = None
    peak_memory_bytes: Number | None = None


class RowFile(File):
    """A row of a table."""

    strategy: str
    floor: bool
    versions: dict[str, Whole] | None = None
    own_budget: dict[str, Plain] = {}
    audit: str | None = None
    seeds: list[SeedFile]


class TableFile(File):
    """The rows of a data set and a model."""

    model: str | None
    model_versions: list[Whole] = []
    parameters: Plain = None
    budget: dict[str, Plain] | None = None
    rows: list[RowFile]


class DatasetFile(File):
    """The tables of a data set."""

    label: str
    about: DataFile | None
    tables: list[TableFile]


class Board(File):
    """A leaderboard."""

    schema_version: Literal[1]
    suite: str
    gate: dict[str, Plain] = {}
    datasets: list[DatasetFile]
