"""The cells of a suite and those that they require, in an order that can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.catalog import Catalog, Declaration
from harness.cell import Cell, PluginChoice
from harness.data.fingerprint import dataset_fingerprints
from harness.errors import DataError
from harness.files.atomic import canonical, to_json, write_atomically
from harness.options import DataOptions
from harness.plan.complete import Completion
from harness.plan.controls import Control, controls_of
from harness.plan.matrix import cells_of
from harness.plan.required_labels import key_of
from harness.plan.requirements import with_required
from harness.results.state import State, failure_of, obstacles_of, state_of
from harness.suite.file import Suite

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
    controls
        Of a control: the ids of the cells that it stands beside (`of`), and as what
        (`name`).
    """

    cell: Cell
    role: Role
    state: State
    reason: str = ""
    controls: tuple[Mapping[str, str], ...] = ()


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
    requests = [
        _request(entry.choice, entry.options, entry.declaration, suite)
        for entry in suite.datasets
    ]
    answers = dataset_fingerprints(requests)
    for entry, answer in zip(suite.datasets, answers, strict=True):
        if isinstance(answer, DataError):
            missing[entry.label] = str(answer)
        else:
            fingerprints[entry.label] = str(answer["fingerprint"])
    declared = cells_of(suite, fingerprints)
    known = {canonical(r): a for r, a in zip(requests, answers, strict=True)}

    def fingerprint_of(cell: Cell) -> str:
        declaration = catalog.get("dataset", cell.dataset.name)
        request = _request(cell.dataset, cell.options, declaration, suite)
        key = canonical(request)
        if key not in known:
            (known[key],) = dataset_fingerprints([request])
        answer = known[key]
        if isinstance(answer, DataError):
            missing[str(cell.labels["dataset"])] = str(answer)
            return ""
        return str(answer["fingerprint"])

    completion = Completion(catalog, fingerprint_of)
    wanted = {entry.label: entry.controls for entry in suite.strategies}
    controls = controls_of(declared, wanted, completion)
    wished: dict[str, Cell] = {}
    for cell in (*declared, *(control.cell for control in controls)):
        # Called as the suite calls it, where it declares a control itself.
        wished.setdefault(key_of(cell), cell)
    cells = with_required(list(wished.values()), completion, declared)
    roles = _Roles(declared, controls, cells)
    planned = [
        _planned(cell, roles.of(cell), roles.controls(cell), runs)
        for cell in roles.cells
    ]
    return Plan(suite, tuple(planned), missing)


class _Roles:
    """Why each cell is in the plan; cells of one id are one."""

    def __init__(
        self, declared: Sequence[Cell], controls: Sequence[Control], cells: list[Cell]
    ) -> None:
        ids = {key_of(cell): cell.id for cell in cells}
        self._name = {key: cell or key for key, cell in ids.items()}
        self._declared = {self._name[key_of(cell)] for cell in declared}
        self._beside: dict[str, list[Mapping[str, str]]] = {}
        for control in controls:
            of = {"of": ids[key_of(control.beside)], "name": control.name}
            self._beside.setdefault(self._name[key_of(control.cell)], []).append(of)
        own = {key_of(cell) for cell in declared}
        found: dict[str, Cell] = {}
        for cell in cells:
            name = self._name[key_of(cell)]
            # Called as the suite calls it.
            if name not in found or key_of(cell) in own:
                found[name] = cell
        self.cells = list(found.values())

    def of(self, cell: Cell) -> Role:
        name = self._name[key_of(cell)]
        if name in self._declared:
            return "suite"
        return "control" if name in self._beside else "required"

    def controls(self, cell: Cell) -> tuple[Mapping[str, str], ...]:
        return tuple(self._beside.get(self._name[key_of(cell)], ()))


def _planned(
    cell: Cell, role: Role, controls: tuple[Mapping[str, str], ...], runs: Path
) -> PlannedCell:
    state, reason = state_of(cell, runs), ""
    if state == "failed":
        reason = failure_of(cell, runs)
    elif state == "blocked":
        reason = "; ".join(
            f"requires {role}: {cell.requires[role].title}, which {_SAID[obstacle]}"
            for role, obstacle in obstacles_of(cell, runs).items()
        )
    return PlannedCell(cell, role, state, reason, controls)


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
            **({"controls": [dict(c) for c in p.controls]} if p.controls else {}),
            "requires": {role: c.id for role, c in p.cell.requires.items()},
            "data": p.cell.identity["dataset"],
        }
        for p in plan.cells
    ]
    gate = plan.suite.gate.model_dump(exclude_defaults=True)
    manifest = {
        "schema_version": MANIFEST_VERSION,
        "suite": plan.suite.name,
        "title": plan.suite.title,
        "cells": cells,
        **({"gate": gate} if gate else {}),
    }
    write_atomically(runs / "suites" / f"{plan.suite.name}.json", to_json(manifest))


def _request(
    choice: PluginChoice, options: DataOptions, declaration: Declaration, suite: Suite
) -> dict[str, Any]:
    """What of a data set its records depend on."""
    return {
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
