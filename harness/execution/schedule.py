"""Which of the cells that could run goes first: what the end waits for longest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean, median
from typing import Any

from harness.cell import NO_MODEL, Cell
from harness.files.atomic import read_json

MEASURED = "measured.json"
MOST_LOOKED_AT = 20
"""Of the finished cells beside one, to learn how long it may take."""


def by_length(cells: Sequence[Cell], seconds: Mapping[str, float]) -> list[Cell]:
    """The cells, those first that hold up the end of the suite most.

    A cell counts for as long as it and the longest chain of cells that wait for it
    will take. Of equals, the earlier in the suite goes first.

    Parameters
    ----------
    seconds
        How long each may take, by id.
    """
    waiting: dict[str, list[Cell]] = {}
    for cell in cells:
        for needed in cell.requires.values():
            waiting.setdefault(needed.id, []).append(cell)

    @cache
    def chain(cell_id: str) -> float:
        after = max((chain(c.id) for c in waiting.get(cell_id, ())), default=0.0)
        return seconds.get(cell_id, 0.0) + after

    return sorted(cells, key=lambda cell: -chain(cell.id))


def expected_seconds(cells: Sequence[Cell], runs: Path) -> dict[str, float]:
    """How long each cell may take, by id.

    Cells of the same data set, model and strategy that are done say it; where there
    are none, the number of epochs does, at the rate of those that are known.
    """
    known = {cell.id: _measured(cell, runs) for cell in cells}
    rates = [
        known[cell.id] / _effort(cell)
        for cell in cells
        if known[cell.id] and _effort(cell)
    ]
    rate = median(rates) if rates else 1.0
    return {cell.id: known[cell.id] or rate * _effort(cell) for cell in cells}


def _effort(cell: Cell) -> float:
    """What stands for a cell's length where none of its kind was ever run."""
    return float(cell.budget.epochs) if cell.model else 0.0


def _measured(cell: Cell, runs: Path) -> float:
    """Mean seconds of finished cells of the kind; 0 where there are none."""
    model = cell.model.name if cell.model else NO_MODEL
    beside = runs / cell.dataset.name / model / cell.strategy_name
    try:
        folders = sorted(path for path in beside.iterdir() if path.is_dir())
    except OSError:
        return 0.0
    pairs = [_took(folder, cell) for folder in folders[:MOST_LOOKED_AT]]
    alike = [seconds for seconds, same in pairs if same and seconds]
    # Other parameters of the same method are the next best guess.
    others = [seconds for seconds, _ in pairs if seconds]
    return fmean(alike or others or [0.0])


def _took(folder: Path, cell: Cell) -> tuple[float, bool]:
    """How long a finished cell took, and whether it differs by its seed only."""
    try:
        seconds: dict[str, Any] = read_json(folder / MEASURED)["seconds"]
        identity: dict[str, Any] = read_json(folder / "cell.json")["identity"]
        took = float(seconds["training"]) + float(seconds["evaluation"])
        return took, {**identity, "seed": cell.seed} == cell.identity
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, False
