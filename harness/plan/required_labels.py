"""What required cells are called, so that they read as the suite's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from harness.cell import Cell
from harness.files.atomic import canonical
from harness.suite.labels import settings_suffix


def key_of(cell: Cell) -> str:
    """Equal for cells that are the same but for what their strategies require, which
    follows.
    """
    given = {role: key_of(other) for role, other in cell.given.items()}
    key = canonical([cell.replace(requires={}).identity, given])
    # Where the data isn't there, nothing but its place can tell two sets apart.
    return key if cell.fingerprint else f"{key} {cell.options.root}"


def labels_beside(cell: Cell, dependent: Cell) -> dict[str, str | None]:
    """What a required cell is called: as its dependent, but for what differs."""
    labels = dict(dependent.labels)
    options = _differences(_plain(cell.options), _plain(dependent.options))
    labels["dataset"] = f"{labels.get('dataset')}{settings_suffix(options)}"
    if cell.model is None:
        labels["model"] = None
    elif cell.model != dependent.model:
        labels["model"] = f"{cell.model.name}{settings_suffix(cell.model.changed)}"
    if cell.strategies != dependent.strategies:
        several = len(cell.strategies) > 1
        changed = {c.name: c.changed for c in cell.strategies if c.changed}
        own = changed if several else cell.strategies[0].changed
        labels["strategy"] = f"{cell.strategy_name}{settings_suffix(own)}"
    budget = _differences(_plain(cell.budget), _plain(dependent.budget))
    labels["strategy"] = f"{labels.get('strategy')}{settings_suffix(budget)}"
    return labels


def called_as_declared(
    resolved: Mapping[str, Cell],
    declared: Mapping[str, Cell],
    namesakes: Iterable[Cell],
) -> dict[str, Cell]:
    """The cells, called as the suite calls them; no two are called alike.

    Parameters
    ----------
    resolved
        By key, required cells first.
    declared
        Those that the suite itself declares, and their controls.
    namesakes
        Those whose data sets, models and strategies give others their names.
    """
    known = {name: label for cell in namesakes for name, label in _names(cell)}
    taken = {cell.title: cell for cell in declared.values()}
    found: dict[str, Cell] = {}
    for key, cell in resolved.items():
        requires = {role: found[key_of(c)] for role, c in cell.requires.items()}
        if key in declared:
            named = declared[key]
        else:
            labels = {
                kind: known.get((kind, name), label)
                for (kind, name), label in _names(cell)
            }
            named = _set_apart(cell.replace(labels=labels), taken)
            taken[named.title] = named
        found[key] = named.replace(requires=requires)
    return found


def _names(cell: Cell) -> list[tuple[tuple[str, str], str | None]]:
    """What identifies the data set, the model and the strategy, with their labels."""
    identity = cell.identity
    parts = {
        "dataset": identity["dataset"],
        "model": identity["model"],
        "strategy": [identity["strategies"], identity["budget"]],
    }
    return [
        ((kind, canonical(part)), cell.labels.get(kind)) for kind, part in parts.items()
    ]


def _set_apart(cell: Cell, taken: Mapping[str, Cell]) -> Cell:
    """The cell, with what sets it apart added to its label if that is another's."""
    twin = taken.get(cell.title)
    if twin is None:
        return cell
    suffix = settings_suffix(_differences(_settings(cell), _settings(twin)))
    for label in (f"{cell.labels['strategy']}{suffix}", f"required {len(taken)}"):
        renamed = cell.replace(labels={**cell.labels, "strategy": label})
        if renamed.title not in taken:
            break
    return renamed


def _settings(cell: Cell) -> dict[str, Any]:
    """Every setting of the strategies and the budget."""
    several = len(cell.strategies) > 1
    params = {c.name: dict(c.params) for c in cell.strategies}
    own = params if several else params[cell.strategies[0].name]
    return {**own, **_plain(cell.budget)}


def _plain(options: BaseModel) -> dict[str, Any]:
    return options.model_dump(mode="json")


def _differences(own: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in own.items() if k not in others or v != others[k]}
