"""Files of a cell as flat numbers by path, and a cell as flat parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.cell import Cell
from harness.files.atomic import canonical
from harness.results.state import source_hashes
from harness.tracking.events import Plain, TrackedCell

_ELSEWHERE = ("audit", "by_module", "remaining_by_layer")
"""Tables of a result that are no figures of the whole cell."""


def numbers(table: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of nested tables, by path; what else they hold is left out.

    >>> numbers({"loss": 0.5, "validation": {"macro_f1": 0.7, "auroc": None}})
    {'loss': 0.5, 'validation/macro_f1': 0.7}
    """
    found: dict[str, float] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{key}"] = value
    return found


def epoch_figures(row: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a line of `history.jsonl`."""
    # Which epoch of which fit it is says nothing beside its number.
    return numbers({key: value for key, value in row.items() if key != "epoch"})


def final_figures(
    result: Mapping[str, Any], measured: Mapping[str, Any]
) -> dict[str, float]:
    """The figures of `result.json` and `measured.json`: quality on the test split,
    cost, size and seconds.
    """
    parts = {
        "test": result["metrics"]["test"],
        "cost": _own(result["cost"]),
        "size": _own(result.get("size", {})),
        # With all that it requires; the same as `cost` where that is nothing.
        "cost with required": result.get("required", {}).get("total", {}),
        "seconds": measured.get("seconds", {}),
    }
    return numbers(parts)


def _own(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _own(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if key not in _ELSEWHERE
    }


def described(cell: Cell, runs: Path) -> TrackedCell:
    """A cell as trackers are told of it."""
    return TrackedCell(
        id=cell.id,
        sources=_sources(cell),
        title=cell.title,
        folder=runs / cell.folder,
        dataset=str(cell.labels["dataset"]),
        model=cell.labels["model"],
        strategy=str(cell.labels["strategy"]),
        seed=cell.seed,
        parameters=parameters_of(cell),
    )


def _sources(cell: Cell) -> str:
    text = canonical(source_hashes(cell))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def parameters_of(cell: Cell) -> dict[str, Plain]:
    """All that a suite says of a cell, by dotted key; none for what it leaves out."""
    options = cell.options.model_dump(mode="json", exclude={"root"})
    tables: dict[str, Any] = {
        "dataset": {"": cell.dataset.name, **cell.dataset.params, **options},
        "model": {"": cell.model.name, **cell.model.params} if cell.model else {},
        "strategy": {
            "": cell.strategy_name,
            **{choice.name: choice.params for choice in cell.strategies},
        },
        "budget": cell.budget.model_dump(mode="json"),
        "seed": cell.seed,
        "processes": cell.processes,
    }
    return _dotted(tables)


def _dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for key, value in table.items():
        name = f"{prefix}.{key}".strip(".")
        if isinstance(value, Mapping):
            found |= _dotted(value, name)
        elif isinstance(value, Plain):
            found[name] = value
        elif value not in (None, []):
            found[name] = json.dumps(value)
    return found
