"""The cells of a suite and those that they require, in an order that can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.catalog import Catalog, Declaration
from harness.cell import Cell, PluginChoice
from harness.completing import Completion
from harness.controls import controls_of
from harness.data.fingerprint import dataset_fingerprint
from harness.errors import DataError
from harness.matrix import cells_of
from harness.options import DataOptions
from harness.required_labels import key_of
from harness.requirements import with_required
from harness.results.files import to_json, write_atomically
from harness.results.state import State, failure_of, obstacles_of, state_of
from harness.suite import Suite

MANIFEST_VERSION = 1
Role = Literal["suite", "control", "required"]
_SAID = {"failed": "failed", "blocked": "is blocked"}


@dataclass(frozen=True)
class PlannedCell:
    """A cell, why it is in the plan, and its state.

    Attributes
    ----------
    role
        Whether the suite declares it, it is a control of such a cell, or only needed.
    reason
        Why a cell has failed or is blocked.
    control
        Of a control: the id of the cell that it stands beside (`of`), and as what
        (`name`).
    """

    cell: Cell
    role: Role
    state: State
    reason: str = ""
    control: Mapping[str, str] = field(default_factory=dict)


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
        If the suite's cells contradict one another, or what a strategy requires can't
        be had.
    """
    fingerprints: dict[str, str] = {}
    missing: dict[str, str] = {}
    for entry in suite.datasets:
        try:
            fingerprints[entry.label] = _fingerprint(
                entry.choice, entry.options, entry.declaration, suite
            )
        except DataError as error:
            missing[entry.label] = str(error)
    declared = cells_of(suite, fingerprints)

    def fingerprint_of(cell: Cell) -> str:
        declaration = catalog.get("dataset", cell.dataset.name)
        try:
            return _fingerprint(cell.dataset, cell.options, declaration, suite)
        except DataError as error:
            missing[str(cell.labels["dataset"])] = str(error)
            return ""

    completion = Completion(catalog, fingerprint_of)
    wanted = {entry.label: entry.controls for entry in suite.strategies}
    controls = controls_of(declared, wanted, completion)
    own = {key_of(cell): cell for cell in declared}
    beside = {key_of(c.cell): c for c in controls}
    extra = [c.cell for key, c in beside.items() if key not in own]
    found = {key_of(c): c for c in with_required([*declared, *extra], completion)}
    planned = []
    for key, cell in found.items():
        role: Role = "suite" if key in own else "required"
        control = {}
        if key in beside:
            role = "suite" if key in own else "control"
            of = found[key_of(beside[key].beside)].id
            control = {"of": of, "name": beside[key].name}
        planned.append(_planned(cell, role, control, runs))
    return Plan(suite, tuple(planned), missing)


def _planned(
    cell: Cell, role: Role, control: Mapping[str, str], runs: Path
) -> PlannedCell:
    state, reason = state_of(cell, runs), ""
    if state == "failed":
        reason = failure_of(cell, runs)
    elif state == "blocked":
        reason = "; ".join(
            f"requires {role}: {cell.requires[role].title}, which {_SAID[obstacle]}"
            for role, obstacle in obstacles_of(cell, runs).items()
        )
    return PlannedCell(cell, role, state, reason, control)


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
            **({"control": dict(p.control)} if p.control else {}),
            "requires": {role: c.id for role, c in p.cell.requires.items()},
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


def _fingerprint(
    choice: PluginChoice, options: DataOptions, declaration: Declaration, suite: Suite
) -> str:
    request = {
        "name": choice.name,
        "plugin_file": choice.locator,
        "class": choice.class_name,
        "version": choice.version,
        "source_hash": choice.source_hash,
        "params": dict(choice.params),
        "options": options.model_dump(mode="json"),
        "suite_folder": str(suite.folder.resolve()),
        "index_files": declaration.attributes["index_files"],
        "folder": declaration.attributes["folder"],
        "source": declaration.attributes["source"],
    }
    return str(dataset_fingerprint(request)["fingerprint"])
