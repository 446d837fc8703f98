"""One point of the matrix, with every parameter resolved and a stable id."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from harness.errors import ConfigError
from harness.files.atomic import canonical
from harness.options import Budget, DataOptions
from harness.options.entries import merged_budget
from harness.options.explain import explain
from harness.plugin import Parameters

IDENTITY_VERSION = 2
"""Raised when the core changes what a cell with the same words computes."""

NO_MODEL = "no-model"
BASELINE = "baseline"
"""The strategy that others are compared with."""

_Options = TypeVar("_Options", bound=Parameters)


@dataclass(frozen=True)
class PluginChoice:
    """A plugin and its parameters.

    `changed` holds the parameters that differ from their defaults: only they count
    for identity, so that a new parameter keeps old results valid. `locator` and
    `source_hash` say which code it was, for provenance. `footnotes` are those of the
    presets whose parameters it has.
    """

    name: str
    version: int
    class_name: str
    locator: str
    source_hash: str
    params: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)
    batch_independent: bool = False
    decision_only: bool = False
    footnotes: Sequence[str] = ()

    def __post_init__(self) -> None:
        # As read back from JSON, it must equal what it was.
        object.__setattr__(self, "footnotes", tuple(self.footnotes))

    @classmethod
    def named(cls, name: str, params: Mapping[str, Any]) -> Self:
        """A plugin by name, to be looked up when the suite is planned."""
        return cls(name, 0, "", "", "", params)

    def warning_of(self, footnote: str) -> Self:
        """The choice with a footnote, that of the preset it was made from."""
        notes = dict.fromkeys((*([footnote] if footnote else []), *self.footnotes))
        return dataclasses.replace(self, footnotes=tuple(notes))

    @property
    def is_found(self) -> bool:
        """False for a plugin that is only named yet."""
        return bool(self.locator)

    def identity(self) -> dict[str, Any]:
        """What of the choice determines results."""
        return {
            "name": self.name,
            "version": self.version,
            "params": dict(self.changed),
        }


@dataclass(frozen=True)
class Cell:
    """A dataset, a model, strategies, a budget and a seed.

    Attributes
    ----------
    fingerprint
        Of the record index (ids, labels, patients, file sizes); empty where the data
        was not found, and then the cell has no id.
    processes
        How many share each batch of the cell.
    split_hash
        Of the file of ids that the split is read from, if there is one.
    given
        Required cells that another cell gave it, not its own strategies: what it is
        matched to, say. By role; they are among `requires`.
    requires
        Cells that must be done first, by role.
    labels
        How dataset, model and strategy are called on the leaderboard.
    """

    dataset: PluginChoice
    options: DataOptions
    model: PluginChoice | None
    strategies: tuple[PluginChoice, ...]
    budget: Budget
    seed: int
    fingerprint: str = ""
    split_hash: str = ""
    given: Mapping[str, Cell] = field(default_factory=dict)
    requires: Mapping[str, Cell] = field(default_factory=dict)
    labels: Mapping[str, str | None] = field(default_factory=dict)
    suite_folder: str = ""
    processes: int = 1

    def replace(self, **changes: Any) -> Self:
        """The cell with some fields changed."""
        return dataclasses.replace(self, **changes)

    def with_strategy(self, /, *names: str, **params: Any) -> Self:
        """The cell trained by another strategy, or by several composed ones.

        Parameters
        ----------
        names
            As a suite's `use` has them.
        params
            The strategy's parameters; of several, a dict each by the strategy's name.
        """
        tables = {names[0]: params} if len(names) == 1 else params
        strays = sorted(set(tables) - set(names))
        if not names or strays:
            raise ConfigError(
                f"with_strategy: composed strategies take a dict each, not {strays[0]}"
                if names
                else "with_strategy: name a strategy"
            )
        # What another cell gave this one was for the strategy that it had.
        return self.replace(
            strategies=tuple(PluginChoice.named(n, tables.get(n, {})) for n in names),
            budget=self.budget.model_copy(update={"match": None}),
            given={},
        )

    def changing(self, name: str, /, **params: Any) -> Self:
        """The cell with other parameters of one of its strategies; those that are
        composed with it stay.
        """
        tables = {choice.name: dict(choice.params) for choice in self.strategies}
        tables[name] |= params
        if len(tables) == 1:
            return self.with_strategy(name, **tables[name])
        return self.with_strategy(*tables, **tables)

    def without(self, name: str, /) -> Self:
        """The cell without one of its strategies; trained plainly if none is left.

        Raises
        ------
        ConfigError
            If it has no such strategy.
        """
        if name not in [choice.name for choice in self.strategies]:
            raise ConfigError(f"without: {self.title} isn't trained by {name!r}")
        left = {c.name: dict(c.params) for c in self.strategies if c.name != name}
        if len(left) > 1:
            return self.with_strategy(*left, **left)
        ((other, params),) = left.items() or {BASELINE: {}}.items()
        return self.with_strategy(other, **params)

    def with_model(self, name: str, /, **params: Any) -> Self:
        """The cell with another model, or the same one with other parameters."""
        return self.replace(model=PluginChoice.named(name, params))

    def with_options(self, **changes: Any) -> Self:
        """The cell with other options of its data set, as `leads=None` for all leads.

        Raises
        ------
        ConfigError
            If an option is unknown or its value impossible.
        """
        values = {**self.options.model_dump(), **changes}
        return self.replace(options=_checked(DataOptions, values, "with_options"))

    def with_budget(self, **changes: Any) -> Self:
        """The cell on another budget; tables are merged as a suite's are.

        Raises
        ------
        ConfigError
            If a setting is unknown or its value impossible.
        """
        values = merged_budget(self.budget.model_dump(), changes)
        return self.replace(budget=_checked(Budget, values, "with_budget"))

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that determines the result, as plain data."""
        # Where data lies says nothing about what it is: the fingerprint does.
        options = self.options.model_dump(
            mode="json", exclude_defaults=True, exclude={"root"}
        )
        if self.split_hash:
            # Without a label ratio nothing is drawn with the seed.
            thinned = self.options.split.label_ratio < 1
            own = options.get("split", {}) if thinned else {}
            drawn = {k: v for k, v in own.items() if k in ("label_ratio", "seed")}
            options["split"] = {"file": self.split_hash, **drawn}
        # Whom the suite calls by that label is among what the cell requires.
        ignored: dict[str, Any] = {"match": {"of"}}
        if self.batch_independent:
            ignored["micro_batch"] = True
        budget = self.budget.model_dump(
            mode="json", exclude_defaults=True, exclude=ignored
        )
        several = self.processes > 1 and not self.batch_independent
        return {
            "version": IDENTITY_VERSION,
            "dataset": {
                **self.dataset.identity(),
                "options": options,
                "fingerprint": self.fingerprint,
            },
            "model": self.model.identity() if self.model else None,
            "strategies": [choice.identity() for choice in self.strategies],
            "budget": budget,
            **({"processes": self.processes} if several else {}),
            "requires": {role: cell.id for role, cell in self.requires.items()},
            "seed": self.seed,
        }

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits of the identity's SHA-256; empty without data."""
        if not self.fingerprint:
            return ""
        return hashlib.sha256(canonical(self.identity).encode()).hexdigest()[:12]

    @property
    def strategy_name(self) -> str:
        """The composed strategies' names, in order, joined by a plus sign."""
        return "+".join(choice.name for choice in self.strategies)

    @property
    def batch_independent(self) -> bool:
        """Whether model and strategies say that what becomes of a sample depends
        neither on its batch nor on chance: then `processes` and micro-batches don't
        make another cell.
        """
        parts = (self.model, *self.strategies)
        return all(part is not None and part.batch_independent for part in parts)

    @property
    def folder(self) -> PurePosixPath:
        """Where the result lies below the folder of runs."""
        model = self.model.name if self.model else NO_MODEL
        leaf = f"{self.seed}-{self.id}"
        return PurePosixPath(self.dataset.name, model, self.strategy_name, leaf)

    @property
    def title(self) -> str:
        """The cell in one line, for people."""
        labels = [self.labels.get(k) for k in ("dataset", "model", "strategy")]
        title = " / ".join([x for x in labels if x] + [f"seed {self.seed}"])
        return title if self.processes == 1 else f"{title}, {self.processes} processes"

    @property
    def choices(self) -> tuple[PluginChoice, ...]:
        """Every plugin that the cell uses."""
        model = (self.model,) if self.model else ()
        return (self.dataset, *model, *self.strategies)

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which `from_dict` makes the same cell."""
        return {
            "dataset": dataclasses.asdict(self.dataset),
            "options": self.options.model_dump(mode="json"),
            "model": dataclasses.asdict(self.model) if self.model else None,
            "strategies": [dataclasses.asdict(s) for s in self.strategies],
            "budget": self.budget.model_dump(mode="json"),
            "seed": self.seed,
            "fingerprint": self.fingerprint,
            "split_hash": self.split_hash,
            "given": {role: c.to_dict() for role, c in self.given.items()},
            "requires": {role: c.to_dict() for role, c in self.requires.items()},
            "labels": dict(self.labels),
            "suite_folder": self.suite_folder,
            "processes": self.processes,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The cell that `to_dict` described.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is no such description.
        """
        model = data["model"]
        return cls(
            dataset=PluginChoice(**data["dataset"]),
            options=DataOptions.model_validate(data["options"]),
            model=PluginChoice(**model) if model else None,
            strategies=tuple(PluginChoice(**s) for s in data["strategies"]),
            budget=Budget.model_validate(data["budget"]),
            seed=data["seed"],
            fingerprint=data["fingerprint"],
            split_hash=data["split_hash"],
            given={r: cls.from_dict(c) for r, c in data["given"].items()},
            requires={r: cls.from_dict(c) for r, c in data["requires"].items()},
            labels=data["labels"],
            suite_folder=data["suite_folder"],
            processes=data["processes"],
        )


def _checked(model: type[_Options], values: Mapping[str, Any], where: str) -> _Options:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = explain(error.errors(), model.model_json_schema(), where)
        raise ConfigError(problems) from None
