"""Telling a tracker of one cell, from the files that the cell's process writes.

An epoch is told once it stands in `history.jsonl`, and counts as told once the tracker
has returned. A cell that goes back to a checkpoint writes the same rows again; they
have been told already.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.files.atomic import LARGEST_JSON, parse_json, read_json, read_limited
from harness.results.state import RESULT, State
from harness.tracking.events import CellOutcome, TrackedCell, TrackedEpoch
from harness.tracking.figures import epoch_figures, final_figures
from harness.tracking.memory import recall, remember

HISTORY, MEASURED = "history.jsonl", "measured.json"


class CellTeller:
    """Tells of one cell, and remembers what it has told.

    Parameters
    ----------
    memory
        Where to remember it.
    hook
        Gives the caller of the tracker's hooks.
    """

    def __init__(
        self, cell: TrackedCell, memory: Path, hook: Callable[[], Any]
    ) -> None:
        self._cell = cell
        self._memory = memory
        self._hook = hook
        self._told = recall(memory, cell.sources)
        # A history that nobody has touched since may be that of other sources.
        self._seen = _trace(cell.folder / HISTORY)
        self.is_open = False

    @property
    def is_over(self) -> bool:
        """Whether its result has been told."""
        return self._told.state == "done"

    def start(self) -> None:
        """Tell that a process took it up; once a run, however many there are."""
        if self.is_open:
            return
        self._hook().cell_started(cell=self._cell, epochs=self._told.epochs)
        self._note(state=None)
        self.is_open = True

    def look(self) -> None:
        """Tell of the epochs that have been finished since the last look."""
        if not self.is_open:
            return
        trace = _trace(self._cell.folder / HISTORY)
        if trace != self._seen:
            self._seen = trace
            self._tell_epochs()

    def finish(self, state: State, message: str = "") -> None:
        """Tell how it has ended, and what is left to tell of its epochs."""
        self.start()
        result: dict[str, Any] = {}
        figures: dict[str, float] = {}
        if state == "done":
            self._tell_epochs()
            result = read_json(self._cell.folder / RESULT)
            figures = final_figures(result, _measured(self._cell.folder))
        else:
            self.look()
        outcome = CellOutcome(state, message, self._told.epochs, figures, result)
        self._hook().cell_finished(cell=self._cell, outcome=outcome)
        self._note(state=state)
        self.is_open = False

    def _tell_epochs(self) -> None:
        rows = _rows(self._cell.folder / HISTORY)
        for number in range(self._told.epochs, len(rows)):
            row = rows[number]
            epoch = TrackedEpoch(number, epoch_figures(row), row)
            self._hook().epoch_finished(cell=self._cell, epoch=epoch)
            self._note(epochs=number + 1)

    def _note(self, **changes: Any) -> None:
        self._told = self._told.but(**changes)
        remember(self._memory, self._told)


def _trace(path: Path) -> tuple[int, ...]:
    """Something that changes whenever the file is written; nothing without a file."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _rows(history: Path) -> list[dict[str, Any]]:
    """Its lines; none where it can't be read, as a result stands without it."""
    try:
        text = read_limited(history, LARGEST_JSON).decode("utf-8")
        return [parse_json(line) for line in text.split("\n") if line]
    except (OSError, ValueError):
        return []


def _measured(folder: Path) -> dict[str, Any]:
    """What differs from run to run; a result stands without it."""
    try:
        return dict(read_json(folder / MEASURED))
    except (OSError, ValueError, TypeError):
        return {}
