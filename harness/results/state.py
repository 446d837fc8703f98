"""The one list of states that a cell can be in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from harness.cell import Cell
from harness.results.claim import Observer, highest_claim
from harness.results.files import read_json

State = Literal["planned", "running", "done", "failed", "blocked", "stale"]

RESULT, FAILURE, WEIGHTS = "result.json", "failure.json", "model.safetensors"


def state_of(cell: Cell, runs: Path) -> State:
    """The cell's state, from the files in its folder alone.

    `stale` is a result whose plugins have been edited since, though their versions
    were not raised.
    """
    if not cell.id:
        return "planned"
    folder = runs / cell.folder
    result = _read(folder / RESULT)
    if result.get("cell") == cell.id:
        hashes = result.get("provenance", {}).get("plugins", {})
        return "done" if hashes == source_hashes(cell) else "stale"
    number = highest_claim(folder)
    if number and not Observer().is_stale(folder, number):
        return "running"
    failure = _read(folder / FAILURE)
    if failure:
        return "blocked" if failure.get("kind") == "blocked" else "failed"
    return "planned"


def source_hashes(cell: Cell) -> dict[str, str]:
    """The source hash of every plugin of a cell, by kind and name."""
    hashes = {f"dataset {cell.dataset.name}": cell.dataset.source_hash}
    if cell.model:
        hashes[f"model {cell.model.name}"] = cell.model.source_hash
    hashes |= {f"strategy {s.name}": s.source_hash for s in cell.strategies}
    return hashes


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
