"""A suite file: TOML -> validated entries, with every mistake found at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from harness.catalog import Declaration
from harness.catalog.builtin import shipped
from harness.cell import PluginChoice
from harness.errors import ConfigError, did_you_mean
from harness.files.toml import parse_toml
from harness.options import Budget, DataOptions, Execution, Gate
from harness.options.entries import merged_budget
from harness.options.explain import explain
from harness.plugin import Parameters

SUITE_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
"""Files are called by it."""


class Exclude(Parameters):
    """Cells to leave out: those that match every key given."""

    dataset: str | list[str] | None = None
    model: str | list[str] | None = None
    strategy: str | list[str] | None = None
    seed: int | list[int] | None = None


class SuiteFile(Parameters):
    """The top level of a suite; entries are checked against their plugins."""

    name: str = Field(
        "", pattern=f"^({SUITE_NAME})?$", description="default: file name"
    )
    title: str = Field("", description="one line, shown on the leaderboard")
    seeds: list[int] = Field([0], min_length=1)
    plugins: list[str] = Field([], description="drop-in folders, relative to the file")
    budget: dict[str, Any] = Field({}, description="shared by all strategies")
    execution: Execution = Execution()
    gate: Gate = Gate()
    dataset: list[dict[str, Any]] = Field(min_length=1)
    model: list[dict[str, Any]] = Field([])
    strategy: list[dict[str, Any]] = Field(min_length=1)
    exclude: list[Exclude] = Field([])


@dataclass(frozen=True)
class DatasetEntry:
    """One data set as one `[[dataset]]`, or one point of its grid, describes it.

    `own_budget` is what all strategies spend on it instead of the suite's budget;
    `written` is its label in the suite's file, where several entries share that.
    """

    label: str
    choice: PluginChoice
    options: DataOptions
    declaration: Declaration
    own_budget: Mapping[str, Any]
    written: str = ""


@dataclass(frozen=True)
class ModelEntry:
    """One model with its parameters; `written` as of a data set."""

    label: str
    choice: PluginChoice
    written: str = ""


@dataclass(frozen=True)
class StrategyEntry:
    """One strategy, or several composed.

    Attributes
    ----------
    own_budget
        What it spends otherwise than the suite.
    controls
        Which of its controls stand beside it: all, none, or those of some names.
    written
        Its label in the suite's file, where several entries share that.
    """

    label: str
    choices: tuple[PluginChoice, ...]
    own_budget: Mapping[str, Any]
    uses_model: bool
    controls: bool | tuple[str, ...] = True
    written: str = ""


@dataclass(frozen=True)
class Suite:
    """A validated suite."""

    name: str
    title: str
    path: Path
    seeds: tuple[int, ...]
    shared_budget: Mapping[str, Any]
    execution: Execution
    datasets: tuple[DatasetEntry, ...]
    models: tuple[ModelEntry, ...]
    strategies: tuple[StrategyEntry, ...]
    excludes: tuple[Exclude, ...] = ()
    trackers: tuple[PluginChoice, ...] = ()
    gate: Gate = field(default_factory=Gate)

    def budget(self, dataset: DatasetEntry, strategy: StrategyEntry) -> Budget:
        """The suite's budget, with the data set's values over it, then the strategy's.

        Raises
        ------
        ConfigError
            If together they are no budget.
        """
        budget = merged_budget(self.shared_budget, dataset.own_budget)
        budget = merged_budget(budget, strategy.own_budget)
        where = f"[budget] of {strategy.label!r} on {dataset.label!r}"
        return validated(Budget, budget, where)

    @property
    def folder(self) -> Path:
        """Relative paths in the suite start here."""
        return self.path.parent


def read_suite_file(path: Path) -> SuiteFile:
    """The top level of a suite file, its entries unchecked.

    Raises
    ------
    ConfigError
        If it is missing, no TOML, or has unknown keys.
    """
    found = locate_suite(path)
    return suite_file(read_toml(found), found)


def locate_suite(path: Path) -> Path:
    """The file itself, or the suite of that name that comes with the harness."""
    if path.exists() or path.name != str(path):
        return path
    builtin = shipped("suites") / f"{path.stem}.toml"
    return builtin if builtin.is_file() else path


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises
    ------
    ConfigError
        If it is missing or no TOML.
    """
    try:
        return parse_toml(path)
    except FileNotFoundError:
        here = [p.name for p in path.parent.glob("*.toml")]
        names = [p.stem for p in shipped("suites").glob("*.toml")]
        hint = did_you_mean(path.name, [*here, *names])
        raise ConfigError(f"no such suite file; {hint}", str(path)) from None


_Model = TypeVar("_Model", bound=Parameters)


def suite_file(content: Mapping[str, Any], path: Path) -> SuiteFile:
    """The top level of a suite's content.

    Raises
    ------
    ConfigError
        If it has unknown keys or values of a wrong type.
    """
    try:
        return SuiteFile.model_validate(content)
    except ValidationError as error:
        schema = SuiteFile.model_json_schema()
        raise ConfigError(explain(error.errors(), schema), str(path)) from None


def validated(model: type[_Model], values: Mapping[str, Any], where: str) -> _Model:
    """A model of some values, or every mistake in them as a ConfigError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        messages = explain(error.errors(), model.model_json_schema(), where)
        raise ConfigError(messages) from None
