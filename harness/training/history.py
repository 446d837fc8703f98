"""The history of a run: a row an epoch, kept as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.files.atomic import write_atomically


class History:
    """Rows of plain values; the file holds them all, whatever was interrupted.

    `path` is None where another process of the cell writes the file.
    """

    def __init__(self, path: Path | None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._path = path
        self._pending: dict[str, Any] = {}

    def log(self, values: Mapping[str, Any]) -> None:
        """Values to stand in the row of the epoch under way, or of the next one."""
        self._pending.update(values)

    def append(self, row: Mapping[str, Any]) -> None:
        """Close the epoch with its row."""
        self.rows.append({**self._pending, **row})
        self._pending = {}
        self.write()

    def write(self) -> None:
        """Write the file from the rows."""
        if self._path is None:
            return
        lines = [json.dumps(row, sort_keys=True, allow_nan=False) for row in self.rows]
        write_atomically(self._path, "".join(line + "\n" for line in lines))

    def state_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"rows": self.rows, "pending": self._pending}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `state_dict` gave it."""
        self.rows = list(state["rows"])
        self._pending = dict(state["pending"])
