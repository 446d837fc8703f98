"""What a required cell costs each of those that share it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.options.budget import MATCHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.results.schema import Result, SuiteCell

_REQUIRED = "required:"
"""Begins the names of modules that are networks of required cells."""


@dataclass(frozen=True)
class SharedCost:
    """A cell's part of what it requires.

    Attributes
    ----------
    own_training_flops
        Without what it requires.
    training_flops
        Those, and of each required cell's an equal part for all cells that share it;
        None where a part isn't known.
    shared_by
        The number of cells that share each.
    forward_share
        Of its own training FLOPs, those of networks of required cells; None where that
        isn't known.
    """

    own_training_flops: float | None
    training_flops: float | None
    shared_by: list[int]
    forward_share: float | None


def count_sharers(cells: Iterable[SuiteCell]) -> dict[str, int]:
    """How many rows' cells of a suite need a cell, directly or through others, by id.

    What a budget is matched to lends a length, not work, so it isn't needed.
    """
    listed = list(cells)
    needs = {
        cell.id: [c for role, c in cell.requires.items() if role != MATCHED]
        for cell in listed
    }
    found: Counter[str] = Counter()
    for cell in listed:
        if cell.role != "required":
            found.update(_all_of(cell.id, needs))
    return dict(found)


def _all_of(cell: str, needs: Mapping[str, list[str]]) -> set[str]:
    """The ids of all that a cell needs, itself left out."""
    found: set[str] = set()
    ahead = list(needs.get(cell, ()))
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            ahead += needs.get(one, ())
    return found - {cell}


def shared_cost(result: Result, sharers: Mapping[str, int]) -> SharedCost | None:
    """A cell's part of what it requires; None for one that requires nothing."""
    if result.required is None:
        return None
    own = result.cost.flops.training if result.cost.flops else None
    parts: list[float | None] = [own]
    shared_by = []
    for name, cell in result.required.cells.items():
        shared_by.append(max(1, sharers.get(name, 0)))
        known = cell.training_flops is not None
        parts.append((cell.training_flops or 0) / shared_by[-1] if known else None)
    return SharedCost(own, _sum(parts), sorted(shared_by), _forward_share(result))


def _forward_share(result: Result) -> float | None:
    flops = result.cost.flops
    if flops is None or not flops.training:
        return None
    parts = [
        amount
        for name, part in flops.by_module.items()
        if name.startswith(_REQUIRED)
        for amount in (part.forward, part.backward)
    ]
    total = _sum(parts)
    return total / flops.training if parts and total is not None else None


def _sum(parts: Sequence[float | None]) -> float | None:
    """None where a part isn't known."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
