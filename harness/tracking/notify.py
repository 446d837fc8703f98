"""Telling a tracker of a suite and its cells, from the files that cells write.

What it hasn't been told yet comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

from harness.files.atomic import LARGEST_JSON, parse_json, read_json, read_limited
from harness.hooks import PROJECT, TrackingHooks
from harness.plugin import Tracker
from harness.results.state import RESULT, State
from harness.tracking.events import CellOutcome, TrackedCell, TrackedEpoch, TrackedSuite
from harness.tracking.flatten import epoch_figures, final_figures
from harness.tracking.sent import memory_file, recall, remember

NOT_FOLLOWED = "stopped, or followed no more"


class Teller:
    """Tells one tracker of a suite's cells.

    Parameters
    ----------
    cells
        Each with the state that it is in before the run.
    beat
        Called whenever the tracker has returned from a hook.
    """

    def __init__(
        self,
        tracker: Tracker,
        suite: TrackedSuite,
        cells: Sequence[tuple[TrackedCell, State]],
        beat: Callable[[], None],
    ) -> None:
        self._suite = suite
        self._hooks = _Hooks(tracker, beat)
        self._has_begun = False
        destination = tracker.destination(suite)
        self._states: dict[str, State] = {cell.id: state for cell, state in cells}
        self._cells = {
            cell.id: CellTeller(
                cell,
                memory_file(cell.folder, suite.name, tracker.name, destination),
                self._begun,
            )
            for cell, _ in cells
        }
        self._backlog = [
            id_ for id_, state in self._states.items() if self._is_news(id_, state)
        ]

    def _is_news(self, cell: str, state: State) -> bool:
        return state == "done" and not self._cells[cell].is_over

    def _begun(self) -> _Hooks:
        """The hooks, once the suite has been told of; it isn't without any news."""
        if not self._has_begun:
            self._has_begun = True
            self._hooks.suite_started(suite=self._suite)
        return self._hooks

    @property
    def is_behind(self) -> bool:
        """Whether a cell of an earlier run is still to be told of."""
        return bool(self._backlog)

    def hear(self, news: Mapping[str, Any]) -> None:
        """Heed what the run says: `{"started": ID}`, or `{"ended": ID, "state": ...,
        "message": ...}`.
        """
        if "started" in news:
            self._states[news["started"]] = "running"
            self._cells[news["started"]].start()
            return
        cell, state = news["ended"], news["state"]
        self._states[cell] = state
        story = self._cells[cell]
        # What never began because of another cell has no story of its own.
        if self._is_news(cell, state) or story.is_open or state == "failed":
            story.finish(state, news["message"])

    def look(self) -> None:
        """Tell of new epochs, and of one cell of an earlier run."""
        for cell in self._cells.values():
            cell.look()
        if self._backlog:
            self._cells[self._backlog.pop(0)].finish("done")

    def finish(self) -> None:
        """Tell all that is left, and that it's over."""
        while self._backlog:
            self.look()
        for id_, cell in self._cells.items():
            if cell.is_open:
                self._states[id_] = "planned"
                cell.finish("planned", NOT_FOLLOWED)
        if self._has_begun:
            self._hooks.suite_finished(suite=self._suite, states=dict(self._states))


class _Hooks:
    """The tracker's hooks, each call followed by a beat."""

    def __init__(self, tracker: Tracker, beat: Callable[[], None]) -> None:
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(TrackingHooks)
        manager.register(tracker, name=tracker.name)
        self._caller = manager.hook
        self._beat = beat

    def __getattr__(self, name: str) -> Callable[..., None]:
        call = getattr(self._caller, name)

        def told(**arguments: Any) -> None:
            call(**arguments)
            self._beat()

        return told


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
