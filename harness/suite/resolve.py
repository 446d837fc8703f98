"""Resolving a suite's entries against the plugins, with all mistakes found at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness.catalog import Catalog, Declaration
from harness.catalog.parameters import resolve_parameters
from harness.cell import PluginChoice
from harness.errors import ConfigError
from harness.options import Budget, DataOptions
from harness.options.entries import (
    KEYS,
    merged_budget,
    parameters_of,
    preset_suffix,
    take_controls,
    take_label,
    take_preset,
)
from harness.options.explain import shortened
from harness.suite.compose import conflicts
from harness.suite.file import (
    SUITE_NAME,
    DatasetEntry,
    ModelEntry,
    StrategyEntry,
    Suite,
    SuiteFile,
    locate_suite,
    read_toml,
    suite_file,
    validated,
)
from harness.suite.grid import expand_grid
from harness.suite.labels import distinct_labels, settings_suffix
from harness.suite.tracker_entries import tracker_of

MOST_CELLS = 10_000
"""Of a suite: a year of training, if each takes an hour."""


def read_suite(
    path: Path, plugin_folders: Sequence[Path] = ()
) -> tuple[Suite, Catalog]:
    """Read and validate a suite, with the plugins that it may name.

    Raises
    ------
    ConfigError
        With every mistake of the file.
    """
    found = locate_suite(path)
    return resolve_suite(read_toml(found), found, plugin_folders)


def resolve_suite(
    content: Mapping[str, Any], path: Path, plugin_folders: Sequence[Path] = ()
) -> tuple[Suite, Catalog]:
    """As `read_suite`, from the file's content; `path` is where it would lie."""
    problems: list[str] = []
    try:
        file = suite_file(content, path)
    except ConfigError as error:
        # Entries are read all the same, so that their mistakes are told as well.
        problems = error.problems
        entries = ("plugins", "budget", "dataset", "model", "strategy")
        try:
            file = suite_file({k: content[k] for k in entries if k in content}, path)
        except ConfigError:
            raise error from None
    folders = [*plugin_folders, *(path.parent / folder for folder in file.plugins)]
    catalog = Catalog.discover(folders)
    return _Reader(path, file, catalog, problems).read(), catalog


_Entry = TypeVar("_Entry", DatasetEntry, ModelEntry, StrategyEntry)


@dataclass
class _Reader:
    """Resolves all entries, and collects the problems of each."""

    path: Path
    file: SuiteFile
    catalog: Catalog
    problems: list[str] = field(default_factory=list)

    def read(self) -> Suite:
        self._caught(lambda: validated(Budget, self.file.budget, "[budget]"))
        suite = Suite(
            name=self.file.name or self.path.stem,
            title=self.file.title,
            path=self.path,
            seeds=tuple(self.file.seeds),
            shared_budget=self.file.budget,
            execution=self.file.execution,
            datasets=self._entries("dataset", self.file.dataset, self._dataset),
            models=self._entries("model", self.file.model, self._model),
            strategies=self._entries("strategy", self.file.strategy, self._strategy),
            excludes=tuple(self.file.exclude),
            trackers=self._trackers(),
            gate=self.file.gate,
        )
        self._check_whole(suite)
        if self.problems:
            raise ConfigError(list(dict.fromkeys(self.problems)), str(self.path))
        return suite

    def _caught(self, resolve: Callable[[], Any]) -> Any:
        """The result, or None with the problems noted."""
        try:
            return resolve()
        except ConfigError as error:
            self.problems += error.problems
        except ValueError as error:
            self.problems.append(str(error))
        return None

    def _entries(
        self,
        kind: str,
        tables: Sequence[Mapping[str, Any]],
        resolve: Callable[[dict[str, Any], str], _Entry],
    ) -> tuple[_Entry, ...]:
        found: list[_Entry] = []
        for i, table in enumerate(tables, start=1):
            where = f"[[{kind}]] {i} ({table.get('use', '?')})"
            for point in self._caught(partial(_points, table, where)) or ():
                entry = self._caught(partial(resolve, dict(point), where))
                found += [entry] if entry else []
        if len(found) > MOST_CELLS:
            raise ConfigError(
                f"{len(found):,} [[{kind}]]; at most {MOST_CELLS:,} are taken",
                str(self.path),
            )
        return distinct_labels(found)

    def _dataset(self, table: dict[str, Any], where: str) -> DatasetEntry:
        declaration = self._declared("dataset", table, where)
        known = set(DataOptions.model_fields)
        name = declaration.name + preset_suffix(table)
        label = take_label(table, name, where)
        options = {k: v for k, v in table.items() if k in known}
        own = self._own_budget(table, where)
        params = {k: v for k, v in table.items() if k not in known}
        params, _ = take_preset(declaration, params, where)
        keys = (*known, *KEYS, "budget")
        checked = self._caught(lambda: validated(DataOptions, options, where))
        choice = resolve_parameters(declaration, params, where, keys)
        return DatasetEntry(label, choice, checked or DataOptions(), declaration, own)

    def _model(self, table: dict[str, Any], where: str) -> ModelEntry:
        declaration = self._declared("model", table, where)
        name = declaration.name + preset_suffix(table)
        label = take_label(table, name, where)
        params, _ = take_preset(declaration, table, where)
        choice = resolve_parameters(declaration, params, where, KEYS)
        return ModelEntry(label, choice)

    def _strategy(self, table: dict[str, Any], where: str) -> StrategyEntry:
        names = table.pop("use", None)
        names = [names] if isinstance(names, str) else names
        if not (isinstance(names, list) and names and all(map(_is_name, names))):
            raise ConfigError(f'{where} use: should be a name, or a list as ["a", "b"]')
        declared = [self._declared("strategy", {"use": name}, where) for name in names]
        clashes = [f"{where} {reason}" for reason in conflicts(declared)]
        if clashes:
            raise ConfigError(clashes)
        own = self._own_budget(table, where)
        controls = take_controls(table, where)
        label = table.pop("label", None)
        tables = parameters_of(declared, table, where)
        named = "+".join(name + preset_suffix(tables[name]) for name in names)
        budget: Mapping[str, Any] = {}
        choices = []
        for declaration in declared:
            params, preset = take_preset(declaration, tables[declaration.name], where)
            budget = merged_budget(budget, preset.get("budget", {}))
            keys = (*KEYS, "budget", "controls")
            choice = resolve_parameters(declaration, params, where, keys)
            choices.append(choice.warning_of(preset.get("footnote", "")))
        default = named + settings_suffix(own)
        labelled = {} if label is None else {"label": label}
        return StrategyEntry(
            label=take_label(labelled, default, where),
            choices=tuple(choices),
            own_budget=merged_budget(budget, own),
            uses_model=all(d.attributes["uses_model"] for d in declared),
            controls=controls,
        )

    def _trackers(self) -> tuple[PluginChoice, ...]:
        found: dict[str, PluginChoice] = {}
        for i, entry in enumerate(self.file.execution.trackers, start=1):
            where = f"[execution] trackers[{i}]"
            tracker = self._caught(partial(tracker_of, self.catalog, entry, where))
            if tracker is None:
                continue
            if tracker.name in found:
                self.problems.append(f"{where}: {tracker.name!r} stands there twice")
            found[tracker.name] = tracker
        return tuple(found.values())

    def _own_budget(self, table: dict[str, Any], where: str) -> Mapping[str, Any]:
        """Take an entry's budget out of its table, and note what is wrong with it."""
        where = f"{where} budget"
        own = table.pop("budget", {})
        if not isinstance(own, Mapping):
            self.problems.append(f"{where}: should be a table, got {own!r}")
            return {}
        if own:
            merged = merged_budget(self.file.budget, own)
            self._caught(lambda: validated(Budget, merged, where))
        return own

    def _declared(self, kind: Any, table: dict[str, Any], where: str) -> Declaration:
        name = table.pop("use", None)
        if not _is_name(name):
            raise ConfigError(f"{where} use: is required: the name of a {kind}")
        try:
            return self.catalog.get(kind, name)
        except ConfigError as error:
            raise ConfigError([f"{where}: {p}" for p in error.problems]) from None

    def _check_whole(self, suite: Suite) -> None:
        """What no entry can know by itself."""
        if not re.fullmatch(SUITE_NAME, suite.name):
            self.problems.append(
                f"name: is missing, and the file's, {suite.name!r}, can't stand for "
                "it: letters, digits, '.', '-' and '_' only"
            )
        if any(s.uses_model for s in suite.strategies) and not self.file.model:
            self.problems.append('no [[model]]: name one, as use = "resnet1d"')
        seeds = len(suite.seeds)
        cells = len(suite.datasets) * len(suite.strategies) * seeds
        cells *= max(1, len(suite.models))
        if cells > MOST_CELLS:
            self.problems.append(
                f"it has {cells:,} cells; at most {MOST_CELLS:,} are taken"
            )
        if len(set(suite.seeds)) < seeds:
            shown = shortened(str(list(suite.seeds)))
            self.problems.append(f"seeds: one stands twice in {shown}")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _points(table: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    try:
        expanded = expand_grid(table)
    except ValueError as error:
        raise ConfigError(f"{where} {error}") from None
    return [entry for entry, _ in expanded]
