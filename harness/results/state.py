"""The one list of states that a cell can be in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from harness.cell import Cell
from harness.files.atomic import read_json
from harness.results.claim import Observer, highest_claim

State = Literal["planned", "running", "done", "failed", "blocked", "stale"]

RESULT, FAILURE, WEIGHTS = "result.json", "failure.json", "model.safetensors"
KEPT = "kept.npz"


def state_of(cell: Cell, runs: Path) -> State:
    """The cell's state, from the files in its folder alone.

    `stale` is a result whose plugins, or those of a cell that it requires, have been
    edited since, though their versions were not raised. `blocked` is what a required
    cell keeps from running for as long as that one has failed.
    """
    if not cell.id:
        return "planned"
    folder = runs / cell.folder
    result = _read(folder / RESULT)
    if result.get("cell") == cell.id:
        provenance = result.get("provenance")
        made_by = provenance.get("plugins") if isinstance(provenance, dict) else None
        return "done" if made_by == source_hashes(cell) else "stale"
    number = highest_claim(folder)
    if number and not Observer().is_stale(folder, number):
        return "running"
    failure = _read(folder / FAILURE)
    if failure and failure.get("kind") != "blocked":
        return "failed"
    return "blocked" if obstacles_of(cell, runs) else "planned"


def obstacles_of(cell: Cell, runs: Path) -> dict[str, State]:
    """The states of required cells that keep a cell from running, by role."""
    states = {role: state_of(c, runs) for role, c in cell.requires.items()}
    return {role: s for role, s in states.items() if s in ("failed", "blocked")}


def failure_of(cell: Cell, runs: Path) -> str:
    """Why a cell has failed, in one line."""
    failure = _read(runs / cell.folder / FAILURE)
    return (
        f"{failure.get('kind', 'failed')}: {failure.get('message', 'no reason known')}"
    )


def source_hashes(cell: Cell) -> dict[str, str]:
    """The source hash of every plugin of a cell and of all that it requires, by kind
    and name.
    """
    hashes: dict[str, str] = {}
    for required in cell.requires.values():
        hashes |= source_hashes(required)
    hashes[f"dataset {cell.dataset.name}"] = cell.dataset.source_hash
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
