"""What each epoch of a cell was like, as far as its file can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from harness.files.atomic import LARGEST_JSON, read_limited
from harness.results.schema import EpochRow

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.frame import CellResult

_EPOCHS = TypeAdapter(list[EpochRow])


def read_history(runs: Path, cell: CellResult) -> list[EpochRow]:
    """The epochs of a done cell, in order; none where its history is missing or
    damaged, as a result stands without it.
    """
    if cell.status != "done":
        return []
    path = runs / cell.cell.folder / "history.jsonl"
    try:
        content = read_limited(path, LARGEST_JSON)
        lines = content.removesuffix(b"\n").split(b"\n") if content else []
        # All at once, which takes a quarter of the time.
        return _EPOCHS.validate_json(b"[" + b",".join(lines) + b"]")
    except (OSError, ValueError):
        return []
