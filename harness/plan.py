"""The cells of a suite and those that they require, in an order that can run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pluggy

from harness.catalog import Catalog, load_plugin_class
from harness.cell import Cell
from harness.data.fingerprint import dataset_fingerprint
from harness.errors import ConfigError, DataError
from harness.hooks import PROJECT, PlanHooks
from harness.matrix import cells_of
from harness.results.files import to_json, write_atomically
from harness.results.state import State, state_of
from harness.suite import DatasetEntry, Suite

MANIFEST_VERSION = 1


@dataclass(frozen=True)
class PlannedCell:
    """A cell, whether the suite declares it or another cell needs it, and its state."""

    cell: Cell
    role: Literal["suite", "required"]
    state: State


@dataclass(frozen=True)
class Plan:
    """What a suite comes down to.

    Attributes
    ----------
    cells
        Required cells stand before those that need them; each id once.
    missing_data
        Why a data set's records can't be listed, by its label; its cells have no id.
    """

    suite: Suite
    cells: tuple[PlannedCell, ...]
    missing_data: Mapping[str, str] = field(default_factory=dict)


def make_plan(suite: Suite, catalog: Catalog, runs: Path) -> Plan:
    """Resolve the suite's cells, what they require, and what is done.

    Raises
    ------
    ConfigError
        If the suite's cells contradict one another.
    """
    fingerprints: dict[str, str] = {}
    missing: dict[str, str] = {}
    for entry in suite.datasets:
        try:
            fingerprints[entry.label] = _fingerprint(entry, suite)
        except DataError as error:
            missing[entry.label] = str(error)
    declared = cells_of(suite, fingerprints)
    ordered, of_suite = _with_required(declared, catalog)
    planned = tuple(
        PlannedCell(c, "suite" if c.id in of_suite else "required", state_of(c, runs))
        for c in ordered
    )
    return Plan(suite, planned, missing)


def write_manifest(plan: Plan, runs: Path) -> None:
    """Note in `runs/suites/` which cells the suite's leaderboard is made of."""
    cells = [
        {
            "id": p.cell.id,
            "folder": str(p.cell.folder),
            "dataset": p.cell.labels["dataset"],
            "model": p.cell.labels["model"],
            "strategy": p.cell.labels["strategy"],
            "seed": p.cell.seed,
            "role": p.role,
        }
        for p in plan.cells
    ]
    manifest = {
        "schema_version": MANIFEST_VERSION,
        "suite": plan.suite.name,
        "title": plan.suite.title,
        "cells": cells,
    }
    write_atomically(runs / "suites" / f"{plan.suite.name}.json", to_json(manifest))


def _fingerprint(entry: DatasetEntry, suite: Suite) -> str:
    choice = entry.choice
    request = {
        "name": choice.name,
        "plugin_file": choice.locator,
        "class": choice.class_name,
        "version": choice.version,
        "source_hash": choice.source_hash,
        "params": dict(choice.params),
        "options": entry.options.model_dump(mode="json"),
        "suite_folder": str(suite.folder.resolve()),
        "index_files": entry.declaration.attributes["index_files"],
        "folder": entry.declaration.attributes["folder"],
        "source": entry.declaration.attributes["source"],
    }
    return str(dataset_fingerprint(request)["fingerprint"])


def _with_required(
    cells: Sequence[Cell], catalog: Catalog
) -> tuple[list[Cell], set[str]]:
    """The cells with what they require resolved, required ones first; and the ids of
    those that are the suite's own.
    """
    ordered: dict[str, Cell] = {}
    unnamed: list[Cell] = []

    def add(cell: Cell, waiting: tuple[str, ...]) -> Cell:
        needs = _requirements(cell, catalog)
        if len(waiting) > MAX_DEPTH:
            raise ConfigError(f"{waiting[0]} requires cells without end: {waiting[1]}")
        done = {role: add(c, (*waiting, cell.title)) for role, c in needs.items()}
        resolved = cell.replace(requires=done) if done else cell
        if resolved.id:
            return ordered.setdefault(resolved.id, resolved)
        unnamed.append(resolved)
        return resolved

    declared = {add(cell, ()).id for cell in cells}
    return [*ordered.values(), *unnamed], declared


MAX_DEPTH = 20
"""Of cells that require cells: a strategy that requires itself must not hang."""


def _requirements(cell: Cell, catalog: Catalog) -> dict[str, Cell]:
    """What the strategies of a cell require, by role."""
    # Strategies that require nothing need not be imported to be planned.
    asked = [
        choice
        for choice in cell.strategies
        if "requires" in catalog.get("strategy", choice.name).hooks
    ]
    if not asked:
        return {}
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PlanHooks)
    for choice in asked:
        cls: Any = load_plugin_class(choice.locator, choice.class_name)
        params = json.dumps(dict(choice.params))
        manager.register(cls(cls.Params.model_validate_json(params)))
    needs: dict[str, Cell] = {}
    for answer in manager.hook.requires(cell=cell):
        for role, required in answer.items():
            if role in needs:
                raise ConfigError(
                    f"{cell.title}: two strategies claim the role {role!r}"
                )
            needs[role] = required
    return needs
