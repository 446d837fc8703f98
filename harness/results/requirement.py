"""The results of cells that another cell requires: read, and never half believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cell import Cell
from harness.errors import DataError
from harness.files.atomic import read_json
from harness.options.budget import MATCHED
from harness.results.state import RESULT, WEIGHTS, source_hashes


@dataclass(frozen=True)
class Requirement:
    """A required cell, and where it lies.

    Attributes
    ----------
    id
        Its id, which its files must bear.
    folder
        None where it isn't trained yet, or was left behind.
    sources
        Hashes that its plugins must have had; None: whatever they had.
    """

    cell: Cell
    id: str
    folder: Path | None
    sources: Mapping[str, str] | None = None

    def result(self) -> dict[str, Any]:
        """Its `result.json`, without what was found on the test split.

        Raises
        ------
        DataError
            If it isn't there or damaged, or is of another cell or other plugins.
        """
        if self.folder is None:
            raise DataError(f"{self}: it isn't there")
        try:
            result = read_json(self.folder / RESULT)
        except FileNotFoundError:
            raise DataError(f"{self}: it isn't done, {RESULT} is missing") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{self}: {RESULT} can't be read: {error}") from None
        if not isinstance(result, dict) or result.get("cell") != self.id:
            raise DataError(f"{self}: {RESULT} is of another cell")
        made_by = part(result, "provenance", self).get("plugins")
        if self.sources is not None and made_by != self.sources:
            raise DataError(
                f"{self}: a plugin was edited since it was trained; run it again"
            )
        if not (self.folder / WEIGHTS).is_file():
            raise DataError(f"{self}: {WEIGHTS} is missing")
        return _without_test(result)

    def own(self) -> dict[str, Requirement]:
        """What the required cell itself needed, by role."""
        if self.folder is None:
            return {}
        return needed(requirements_of(self.cell, self.folder))

    def __str__(self) -> str:
        return f"required cell {self.cell.title} ({self.id})"


def _without_test(result: dict[str, Any]) -> dict[str, Any]:
    """No strategy may choose by test figures, those of other cells included."""
    hidden = {**result, "snapshots": []}
    if isinstance(result.get("metrics"), dict):
        shown = {k: v for k, v in result["metrics"].items() if k == "validation"}
        hidden["metrics"] = shown
    return hidden


def part(whole: Mapping[str, Any], key: str, of: object) -> dict[str, Any]:
    """A table of a result.

    Raises
    ------
    DataError
        If there is none.
    """
    found = whole.get(key)
    if not isinstance(found, dict):
        raise DataError(f"{of}: {RESULT} holds no {key}")
    return found


def requirements_of(cell: Cell, folder: Path) -> dict[str, Requirement]:
    """What a cell requires, by role: it lies beside the cell's own folder."""
    runs = Path(*folder.parts[: -len(cell.folder.parts)])
    return {
        role: Requirement(c, c.id, runs / c.folder, source_hashes(c))
        for role, c in cell.requires.items()
    }


def needed(requirements: Mapping[str, Requirement]) -> dict[str, Requirement]:
    """What lends a cell its work; what its budget is matched to lends it a length."""
    return {role: r for role, r in requirements.items() if role != MATCHED}


def all_of(requirements: Mapping[str, Requirement]) -> dict[str, Requirement]:
    """The required cells and what they require themselves: each once, by id."""
    found: dict[str, Requirement] = {}
    for requirement in requirements.values():
        if requirement.id not in found:
            found |= {requirement.id: requirement, **all_of(requirement.own())}
    return dict(sorted(found.items()))


COUNTED = ("forward_samples", "backward_samples", "training_flops")


def required_cost(
    requirements: Mapping[str, Requirement], own: Mapping[str, Any]
) -> dict[str, Any]:
    """The part of `result.json` on required cells.

    Parameters
    ----------
    requirements
        Of the cell, by role.
    own
        What the cell itself has cost, as `cost` of its result.

    Returns
    -------
    dict
        `roles`: the id of each; `cells`: by id the counted cost of all that were
        needed, each once however many need it; `total`: theirs and the cell's own,
        None where a part isn't known.
    """
    own_needs = needed(requirements)
    cells: dict[str, dict[str, Any]] = {}
    for name, requirement in all_of(own_needs).items():
        cost = part(requirement.result(), "cost", requirement)
        required = requirement.cell
        cells[name] = {
            "dataset": required.dataset.name,
            "model": required.model.name if required.model else None,
            "strategies": [choice.name for choice in required.strategies],
            "seed": required.seed,
            **counted(cost, requirement),
            "audit": part(cost, "audit", requirement).get("status"),
            "not_counted": cost.get("not_counted", []),
        }
    costs = [counted(own, "this cell"), *cells.values()]
    return {
        "roles": {role: r.id for role, r in own_needs.items()},
        "cells": cells,
        "total": {key: _sum([cost[key] for cost in costs]) for key in COUNTED},
    }


def counted(cost: Mapping[str, Any], of: object) -> dict[str, int | None]:
    """What adds up over cells: samples and training FLOPs.

    Raises
    ------
    DataError
        If a figure is no count.
    """
    found = {
        "forward_samples": cost.get("forward_samples"),
        "backward_samples": cost.get("backward_samples"),
        "training_flops": part(cost, "flops", of).get("training"),
    }
    for key, value in found.items():
        if value is not None and (type(value) is not int or value < 0):
            raise DataError(f"{of}: {RESULT} holds no count of {key}")
    return found


def _sum(values: list[Any]) -> int | None:
    return None if None in values else sum(values)
