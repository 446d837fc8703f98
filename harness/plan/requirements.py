"""What cells require, asked and resolved: a graph without cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.catalog.probe_cache import ask
from harness.cell import Cell, PluginChoice
from harness.errors import ConfigError
from harness.files.atomic import canonical
from harness.options.budget import MATCHED
from harness.plan.complete import Completion, origin
from harness.plan.required_labels import called_as_declared, key_of

MAX_DEPTH = 16
"""Of cells that require cells: a strategy must not require others without end."""

Needs = dict[str, Cell]
"""Required cells by role."""


def with_required(
    cells: Sequence[Cell], completion: Completion, namesakes: Sequence[Cell]
) -> list[Cell]:
    """The cells and all that they require, required ones first, each once.

    Parameters
    ----------
    cells
        As the suite declares them, and their controls: without requirements.
    namesakes
        Those of them after which required ones are called: not the controls.

    Returns
    -------
    list of Cell
        Each with what it requires.

    Raises
    ------
    ConfigError
        If a strategy's `requires` fails, answers what can't be a cell, or never ends.
    """
    graph = _Graph(completion)
    graph.ask(cells)
    for cell in cells:
        graph.resolve(cell, ())
    declared = {key_of(cell): cell for cell in cells}
    return list(called_as_declared(graph.resolved, declared, namesakes).values())


def ask_strategies(
    hook: str, cells: Sequence[Cell], completion: Completion
) -> Iterator[tuple[PluginChoice, int, Needs]]:
    """What the strategies of cells answer to `requires` or `controls`.

    Yields
    ------
    (PluginChoice, int, dict)
        The strategy, the position of the cell, and the cells that it named, by role
        and completed. Each strategy is asked once for all of its cells.

    Raises
    ------
    ConfigError
        If the hook fails or answers what can't be a cell.
    """
    asked: dict[str, tuple[PluginChoice, list[int]]] = {}
    for i, cell in enumerate(cells):
        for choice in cell.strategies:
            # What doesn't implement the hook need not be imported to be planned.
            if hook in completion.catalog.get("strategy", choice.name).hooks:
                key = canonical([choice.name, dict(choice.params)])
                asked.setdefault(key, (choice, []))[1].append(i)
    requests = [
        {
            "hook": hook,
            "locator": choice.locator,
            "class_name": choice.class_name,
            "params": dict(choice.params),
            "cells": [cells[i].to_dict() for i in positions],
        }
        for choice, positions in asked.values()
    ]
    for (choice, positions), answer in zip(asked.values(), ask(requests), strict=True):
        if "cause" in answer:
            raise ConfigError(answer["cause"], origin(choice))
        for i, described in zip(positions, answer["cells"], strict=True):
            where = f"{origin(choice)}: {hook}"
            yield (
                choice,
                i,
                {
                    role: completion.completed(
                        Cell.from_dict(named), cells[i], f"{where} {role!r}"
                    )
                    for role, named in described.items()
                },
            )


@dataclass
class _Graph:
    completion: Completion
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
        """What each cell requires: what was given to it, and what its strategies
        name.
        """
        needs: list[Needs] = [dict(cell.given) for cell in cells]
        claimed: dict[tuple[int, str], str] = {}
        for choice, i, roles in ask_strategies("requires", cells, self.completion):
            for role, required in roles.items():
                if role in cells[i].given or role == MATCHED:
                    raise ConfigError(
                        f"{cells[i].title}: {choice.name!r} claims the role {role!r}, "
                        "which isn't its own to give"
                    )
                other = claimed.setdefault((i, role), choice.name)
                if other != choice.name:
                    raise ConfigError(
                        f"{cells[i].title}: {other!r} and {choice.name!r} both claim "
                        f"the role {role!r}"
                    )
                needs[i][role] = required
        return needs

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


def _chain(cells: Iterable[Cell]) -> str:
    return " requires ".join(cell.title for cell in cells)
