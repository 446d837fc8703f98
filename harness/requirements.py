"""What cells require, asked and resolved: a graph without cycles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.catalog import Catalog, Kind
from harness.catalog.asking import ask
from harness.catalog.parameters import resolve_parameters
from harness.cell import Cell, PluginChoice
from harness.compose import conflicts
from harness.errors import ConfigError
from harness.required_labels import called_as_declared, key_of, labels_beside
from harness.results.files import canonical

MAX_DEPTH = 16
"""Of cells that require cells: a strategy must not require others without end."""

Needs = dict[str, Cell]
"""Required cells by role."""


def with_required(
    cells: Sequence[Cell], catalog: Catalog, fingerprint_of: Callable[[Cell], str]
) -> list[tuple[Cell, bool]]:
    """The cells and all that they require, required ones first, each once.

    Parameters
    ----------
    cells
        As the suite declares them, without requirements.
    fingerprint_of
        Of the records of a cell whose data options are others than the suite's.

    Returns
    -------
    list of (cell, declared)
        With what it requires; and whether the suite itself declares it.

    Raises
    ------
    ConfigError
        If a strategy's `requires` fails, answers what can't be a cell, or never ends.
    """
    graph = _Graph(catalog, fingerprint_of)
    graph.ask(cells)
    for cell in cells:
        graph.resolve(cell, ())
    declared = {key_of(cell): cell for cell in cells}
    named = called_as_declared(graph.resolved, declared)
    return [(cell, key in declared) for key, cell in named.items()]


@dataclass
class _Graph:
    catalog: Catalog
    fingerprint_of: Callable[[Cell], str]
    needs: dict[str, Needs] = field(default_factory=dict)
    resolved: dict[str, Cell] = field(default_factory=dict)

    def ask(self, cells: Sequence[Cell]) -> None:
        """Learn what the cells require, and what those cells require, to the end."""
        came_from: dict[str, Cell] = {}
        level = list(cells)
        for _ in range(MAX_DEPTH + 1):
            level = list(
                {key_of(c): c for c in level if key_of(c) not in self.needs}.values()
            )
            if not level:
                return
            found = self._answers(level)
            for cell, needs in zip(level, found, strict=True):
                self.needs[key_of(cell)] = needs
                for required in needs.values():
                    came_from.setdefault(key_of(required), cell)
            level = [required for needs in found for required in needs.values()]
        chain = [level[0]]
        while key_of(chain[0]) in came_from and len(chain) < 2 * MAX_DEPTH:
            chain.insert(0, came_from[key_of(chain[0])])
        raise ConfigError(
            f"cells require others without end (more than {MAX_DEPTH} deep): "
            f"{_chain(chain[:3])}, ..."
        )

    def _answers(self, cells: Sequence[Cell]) -> list[Needs]:
        """What each cell requires, each strategy asked once for all of its cells."""
        asked: dict[str, tuple[PluginChoice, list[int]]] = {}
        for i, cell in enumerate(cells):
            for choice in cell.strategies:
                # What requires nothing need not be imported to be planned.
                if "requires" in self.catalog.get("strategy", choice.name).hooks:
                    key = canonical([choice.name, dict(choice.params)])
                    asked.setdefault(key, (choice, []))[1].append(i)
        requests = [
            {
                "locator": choice.locator,
                "class_name": choice.class_name,
                "params": dict(choice.params),
                "cells": [cells[i].to_dict() for i in positions],
            }
            for choice, positions in asked.values()
        ]
        needs: list[Needs] = [{} for _ in cells]
        claimed: dict[tuple[int, str], str] = {}
        for (choice, positions), answer in zip(
            asked.values(), ask(requests), strict=True
        ):
            if "cause" in answer:
                raise ConfigError(answer["cause"], _origin(choice))
            for i, roles in zip(positions, answer["requires"], strict=True):
                for role, described in roles.items():
                    other = claimed.setdefault((i, role), choice.name)
                    if other != choice.name:
                        raise ConfigError(
                            f"{cells[i].title}: {other!r} and {choice.name!r} both "
                            f"claim the role {role!r}"
                        )
                    required = Cell.from_dict(described)
                    where = f"{_origin(choice)}: requires {role!r}"
                    needs[i][role] = self._completed(required, cells[i], where)
        return needs

    def _completed(self, cell: Cell, dependent: Cell, where: str) -> Cell:
        """A required cell with its plugins looked up, as the suite would have it."""
        strategies = tuple(self._found("strategy", c, where) for c in cell.strategies)
        declared = [self.catalog.get("strategy", c.name) for c in strategies]
        problems = conflicts(declared)
        if not strategies:
            problems = ["names no strategy"]
        if problems:
            raise ConfigError(problems, where)
        model = self._found("model", cell.model, where) if cell.model else None
        if not all(d.attributes["uses_model"] for d in declared):
            model = None
        elif model is None:
            raise ConfigError(f"{cell.strategy_name!r} needs with_model(...)", where)
        found = cell.replace(
            strategies=strategies,
            model=model,
            requires={},
            suite_folder=dependent.suite_folder,
            processes=dependent.processes if model else 1,
        )
        found = found.replace(labels=labels_beside(found, dependent))
        return self._with_data(found, dependent, where)

    def _found(self, kind: Kind, choice: PluginChoice, where: str) -> PluginChoice:
        if choice.is_found:
            return choice
        try:
            declaration = self.catalog.get(kind, choice.name)
        except ConfigError as error:
            raise ConfigError(error.problems, where) from None
        return resolve_parameters(declaration, choice.params, where)

    def _with_data(self, cell: Cell, dependent: Cell, where: str) -> Cell:
        """The cell with the fingerprint of its own records."""
        if cell.dataset != dependent.dataset:
            raise ConfigError("a required cell is of the same data set", where)
        if cell.options.split != dependent.options.split:
            raise ConfigError(
                "a required cell is split as the cell itself: on another split, its "
                "training records may be among the cell's test records",
                where,
            )
        same = cell.options == dependent.options
        return cell.replace(
            fingerprint=dependent.fingerprint if same else self.fingerprint_of(cell),
            split_hash=dependent.split_hash,
        )

    def resolve(self, cell: Cell, path: tuple[Cell, ...]) -> Cell:
        """The cell with all that it requires; noted after those."""
        key = key_of(cell)
        if key in self.resolved:
            return self.resolved[key]
        if any(key_of(c) == key for c in path):
            raise ConfigError(
                f"cells require one another without end: {_chain([*path, cell])}"
            )
        needs = self.needs[key]
        done = {r: self.resolve(needs[r], (*path, cell)) for r in sorted(needs)}
        return self.resolved.setdefault(key, cell.replace(requires=done))


def _origin(choice: PluginChoice) -> str:
    path = Path(choice.locator)
    file = path.parent.name if path.name == "__init__.py" else path.name
    return f"strategy {choice.name!r} ({file})"


def _chain(cells: Iterable[Cell]) -> str:
    return " requires ".join(cell.title for cell in cells)
