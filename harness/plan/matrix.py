"""The cells of a suite: datasets x models x strategies x seeds, less exclusions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from harness.cell import BASELINE, Cell
from harness.errors import ConfigError, did_you_mean
from harness.files.atomic import LARGEST_JSON, read_limited
from harness.files.paths import expanded
from harness.options.budget import MATCHED
from harness.plan.required_labels import key_of
from harness.suite.file import DatasetEntry, ModelEntry, StrategyEntry, Suite

Place = tuple[str | None, str | None, str | None, int]
"""Labels of data set, model and strategy, and the seed."""


def cells_of(suite: Suite, fingerprints: Mapping[str, str]) -> list[Cell]:
    """Every cell that the suite declares, in the order of its file.

    Parameters
    ----------
    suite
        The validated suite.
    fingerprints
        Of the record index, by dataset label; absent where the data wasn't found.

    Raises
    ------
    ConfigError
        If two entries describe the same cell, or an exclusion names nothing.
    """
    cells = [
        _cell(suite, dataset, model, strategy, seed, fingerprints)
        for dataset in suite.datasets
        for strategy in suite.strategies
        for model in (suite.models if strategy.uses_model else (None,))
        for seed in suite.seeds
    ]
    _check_excludes(suite)
    kept = [cell for cell in cells if not _excluded(suite, cell)]
    matched = _with_matches(kept, suite)
    _check_unique(matched, suite)
    return matched


def _with_matches(cells: list[Cell], suite: Suite) -> list[Cell]:
    """The cells, those on a matched budget given the cell that they match."""
    places = {_place(cell): cell for cell in cells}
    found, problems = [], []
    for cell in cells:
        try:
            found.append(_matched(cell, places) if cell.budget.match else cell)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)), str(suite.path))
    return found


def _matched(cell: Cell, places: Mapping[Place, Cell]) -> Cell:
    """The cell, given the one that its budget names."""
    match = cell.budget.match
    assert match is not None
    where = f"{cell.labels['strategy']!r} budget.match"
    if [c.name for c in cell.strategies if not c.decision_only] != [BASELINE]:
        raise ConfigError(f"{where}: only {BASELINE!r} can be as long as another row")
    dataset, model, own, seed = _place(cell)
    other = places.get((dataset, model, match.of, seed))
    if other is None:
        labels = {str(c.labels["strategy"]) for c in places.values() if c.model}
        hint = did_you_mean(match.of, labels - {str(own)})
        raise ConfigError(f"{where}.of: no strategy {match.of!r} beside it; {hint}")
    if other.budget.match is not None:
        raise ConfigError(f"{where}.of: {match.of!r} has a matched budget itself")
    # What stops early isn't as long.
    budget = cell.budget.model_copy(update={"early_stopping": None})
    return cell.replace(budget=budget, given={MATCHED: other})


def _place(cell: Cell) -> Place:
    labels = cell.labels
    return labels["dataset"], labels["model"], labels["strategy"], cell.seed


def _cell(
    suite: Suite,
    dataset: DatasetEntry,
    model: ModelEntry | None,
    strategy: StrategyEntry,
    seed: int,
    fingerprints: Mapping[str, str],
) -> Cell:
    return Cell(
        dataset=dataset.choice,
        options=dataset.options,
        model=model.choice if model else None,
        strategies=strategy.choices,
        budget=suite.budget(dataset, strategy),
        seed=seed,
        fingerprint=fingerprints.get(dataset.label, ""),
        split_hash=_split_hash(suite, dataset),
        labels={
            "dataset": dataset.label,
            "model": model.label if model else None,
            "strategy": strategy.label,
        },
        suite_folder=str(suite.folder.resolve()),
        processes=suite.execution.processes if model else 1,
    )


def _split_hash(suite: Suite, dataset: DatasetEntry) -> str:
    if dataset.options.split.file is None:
        return ""
    path = suite.folder / expanded(dataset.options.split.file)
    try:
        return hashlib.sha256(read_limited(path, LARGEST_JSON)).hexdigest()[:16]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"[[dataset]] ({dataset.label}) split.file: {path}: {reason}",
            str(suite.path),
        ) from None


def _names(entry: Any) -> set[str]:
    """What an entry may be called in an exclusion: its label, that of its whole grid,
    or its plugins' name.
    """
    choices = entry.choices if hasattr(entry, "choices") else (entry.choice,)
    return {
        entry.label,
        entry.written or entry.label,
        "+".join(choice.name for choice in choices),
    }


def _excluded(suite: Suite, cell: Cell) -> bool:
    entries: dict[str, tuple[Any, ...]] = {
        "dataset": suite.datasets,
        "model": suite.models,
        "strategy": suite.strategies,
    }
    called: dict[str, set[Any]] = {
        kind: {n for e in known if e.label == cell.labels[kind] for n in _names(e)}
        for kind, known in entries.items()
    }
    called["seed"] = {cell.seed}
    return any(
        all(
            called[key] & set(_listed(value))
            for key, value in rule
            if value is not None
        )
        for rule in suite.excludes
    )


def _check_excludes(suite: Suite) -> None:
    entries: dict[str, tuple[Any, ...]] = {
        "dataset": suite.datasets,
        "model": suite.models,
        "strategy": suite.strategies,
    }
    problems = []
    for i, rule in enumerate(suite.excludes, start=1):
        if all(value is None for _, value in rule):
            problems.append(f"[[exclude]] {i}: is empty, and would exclude everything")
        for key, known in entries.items():
            names = {name for entry in known for name in _names(entry)}
            problems += [
                f"[[exclude]] {i} {key}: no {key} {name!r} in this suite; "
                f"{did_you_mean(name, names)}"
                for name in _listed(getattr(rule, key))
                if name not in names
            ]
    if problems:
        raise ConfigError(problems, str(suite.path))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _check_unique(cells: list[Cell], suite: Suite) -> None:
    seen: dict[str, Cell] = {}
    for cell in cells:
        other = seen.setdefault(key_of(cell), cell) if cell.id else cell
        if other is not cell:
            raise ConfigError(
                f"two entries describe the same cell, {cell.title}: "
                f"as {other.labels['strategy']!r} and {cell.labels['strategy']!r}",
                str(suite.path),
            )
