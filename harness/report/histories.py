"""What each epoch of a cell was like, as far as its file can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.schema import EpochRow
from harness.results.files import LARGEST_JSON, parse_json, read_limited

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.frame import CellResult


def read_history(runs: Path, cell: CellResult) -> list[EpochRow]:
    """The epochs of a done cell, in order; none where its history is missing or
    damaged, as a result stands without it.
    """
    if cell.status != "done":
        return []
    path = runs / cell.cell.folder / "history.jsonl"
    try:
        text = read_limited(path, LARGEST_JSON).decode("utf-8")
        lines = text.removesuffix("\n").split("\n") if text else []
        return [EpochRow.model_validate(parse_json(line)) for line in lines]
    except (OSError, ValueError):
        return []
