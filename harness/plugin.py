"""What an author subclasses: `Dataset`, `Model`, `Strategy` and `Tracker`.

Nothing here imports torch or pandas, so that plugins can be listed and planned
without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import nn

    from harness.tracking.events import TrackedSuite


Task = Literal["single-label", "multi-label"]
SplitName = Literal["train", "validation", "test"]


class Parameters(BaseModel):
    """A closed set of typed, immutable parameters: an unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


@dataclass(frozen=True)
class Preset:
    """A named set of parameters, which a suite takes by `preset = "NAME"`.

    Attributes
    ----------
    params
        Parameters by name; what the suite's entry says itself comes over them.
    about
        What it is, in a line: shown by `harness show`.
    footnote
        What a reader of the leaderboard must know of a row with these parameters,
        however they were given; empty where there is nothing to beware of.
    budget
        Settings of the budget that belong to it; for strategies only.
    """

    params: Mapping[str, Any]
    about: str
    footnote: str = ""
    budget: Mapping[str, Any] = field(default_factory=dict)


class Plugin:
    """What all kinds of plugins share: a name, a version, parameters.

    The first line of a subclass' docstring is what `harness list` shows.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Part of a cell's identity: raised when the method or a default changes."""
    reference: ClassVar[str] = ""
    """The paper, with a DOI or an arXiv number, that the plugin implements."""
    presets: ClassVar[Mapping[str, Preset]] = {}
    """Named sets of parameters: of the method as published, say."""

    class Params(Parameters):
        """The parameters that a suite may set."""

    params: Any

    def __init__(self, params: Parameters | None = None) -> None:
        self.params = self.Params() if params is None else params


class Dataset(Plugin):
    """ECG records with labels; all that follows reading is the core's.

    Attributes that depend on parameters may be properties.
    """

    classes: Sequence[str]
    """Class names, in the order of the model's outputs."""
    task: Task = "single-label"
    leads: Sequence[str]
    """Lead names, in the order of the rows that `read` returns."""
    sampling_rate: float
    """Sampling rate (Hz) of what `read` returns."""
    seconds: float | None = None
    """Duration (s) that all records share; None where they differ."""
    folder: ClassVar[str] = ""
    """Name of the data set's folder below `HARNESS_DATA`; empty if it is generated."""
    index_files: ClassVar[Sequence[str]] = ()
    """Files below the root from which `records` is made; `records` is asked again
    when the size or the time of one of them changes."""
    official_folds: ClassVar[Mapping[SplitName, Sequence[int]] | None] = None
    """Which values of the column `fold` make up each split, where the set says so."""
    class_subsets: Mapping[str, Sequence[str]] = {}
    """Further means of per-class F1 to report, by name (the Challenge's own score)."""
    license: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    source: ClassVar[str] = ""
    """Address of the data set's page."""
    synthetic: ClassVar[bool] = False
    """True where the records are generated: the leaderboard says so."""

    def __init__(self, params: Parameters | None = None, root: Path = Path()) -> None:
        super().__init__(params)
        self.root = root

    @property
    def label_rule(self) -> str:
        """One sentence that says how labels were derived, shown with every result."""
        return "labels as published"

    def records(self) -> pd.DataFrame:
        """The record index, one row a record, without reading any signal.

        Returns
        -------
        DataFrame
            Index: record id (str, unique). Columns: `patient` (str); `labels` (tuple
            of class names; exactly one where the task is single-label); `files`
            (tuple of paths below the root that hold the signal). Optional: `fold`
            (int, with `official_folds`); `excluded` (str: why the label rule leaves
            the record out, empty where it's kept); `age` (years) and `sex` (0 male,
            1 female), NaN where unknown.

        Raises
        ------
        DataError
            If an index file is missing or malformed; names the file and the line.
        """
        raise NotImplementedError

    def generate(self, record: pd.Series) -> None:
        """Write the record's files below the root: only for generated data sets.

        Called (in a worker process) for each record of which a file is missing.
        """
        raise NotImplementedError

    def read(self, record: pd.Series) -> np.ndarray:
        """The signal of one row of `records`, whose id is `record.name`.

        Returns
        -------
        ndarray
            float32, shape (leads, samples), in mV.

        Raises
        ------
        DataError
            If the file is unreadable or lacks a lead; the record is then listed as bad.
        """
        raise NotImplementedError


class Model(Plugin):
    """An architecture. Any number of leads and samples should be accepted."""

    batch_independent: ClassVar[bool] = False
    """True if a sample's output in training depends neither on the rest of its batch
    (BatchNorm) nor on chance (dropout): a cell is then the same one in several
    processes, and with micro-batches."""

    def build(self, leads: int, samples: int, outputs: int) -> nn.Module:
        """The network, freshly initialised from torch's global random state.

        It must be constructible under `torch.device("meta")`. Its forward takes
        signals of shape (batch, leads, samples), plus `lengths` (batch,), in samples,
        as an optional second argument where it can mask padding, and returns logits
        of shape (batch, outputs), or (batch, outputs, steps) for a decision per step.

        It may have `features` (names of submodules whose outputs can be distilled,
        shallow to deep) and `classifier` (the name of its head).
        """
        raise NotImplementedError


class Strategy(Plugin):
    """A way to train: a pluggy plugin that implements some of `harness.hooks`."""

    batch_independent: ClassVar[bool] = False
    """True if what it does with a sample depends neither on the others of its batch
    (as keeping the harder half does) nor on chance; see `Model.batch_independent`. A
    property, where parameters decide it."""

    decision_only: ClassVar[bool] = False
    """True if it changes nothing but how outputs become decisions: the baseline beside
    a cell then decides in the same way."""

    uses_model: ClassVar[bool] = True
    """False for floors that ignore the suite's models: one cell for all of them."""


class Tracker(Plugin):
    """Who is told how a suite goes, in a process of its own: it changes no result and
    is part of no cell's identity. It implements some of
    `harness.hooks.TrackingHooks`.
    """

    packages: ClassVar[Mapping[str, str]] = {}
    """Modules that it imports once it is used, and how each is installed."""

    def destination(self, suite: TrackedSuite) -> str:
        """Where it writes to. Another destination is told everything anew.

        Default: its parameters.
        """
        return str(self.params.model_dump_json())


SPLITS: tuple[SplitName, ...] = get_args(SplitName)
