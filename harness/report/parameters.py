"""With which parameters cells were run, as their folders tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.files.atomic import read_json
from harness.results.checked_values import File, Plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from harness.report.frame import CellResult


class CellFile(File):
    """What of `cell.json` is no matter of the seed."""

    dataset: dict[str, Plain]
    model: dict[str, Plain] | None
    strategies: list[dict[str, Plain]]
    budget: dict[str, Plain]


def read_parameters(runs: Path, cell: CellResult) -> dict[str, str]:
    """Every parameter of a cell by its dotted name, defaults included; none where its
    file is missing or damaged.
    """
    try:
        found = CellFile.model_validate(
            read_json(runs / cell.cell.folder / "cell.json")
        )
    except (OSError, ValueError):
        return {}
    strategies = {
        str(one.get("name", i)): one for i, one in enumerate(found.strategies)
    }
    parts = {
        "dataset": found.dataset,
        "model": found.model,
        "strategy": strategies,
        "budget": found.budget,
    }
    return dict(_flat(parts, ""))


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from _flat(value[key], f"{name}.{key}" if name else key)
    elif value is None or value == {}:
        yield name, "none"
    elif isinstance(value, list):
        yield name, ", ".join(map(_shown, value)) or "none"
    else:
        yield name, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k} {_shown(v)}" for k, v in value.items()) + ")"
    return str(value)


def shared_parameters(
    cells: Iterable[Mapping[str, str]],
) -> list[tuple[str, str]]:
    """Names and values over the seeds of a row: each value once."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        for name, value in cell.items():
            found.setdefault(name, {})[value] = None
    return [(name, " or ".join(values)) for name, values in found.items()]
