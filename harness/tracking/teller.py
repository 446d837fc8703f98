"""Telling a tracker of a suite: what it hasn't been told yet, and what comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pluggy

from harness.hooks import PROJECT, TrackingHooks
from harness.plugin import Tracker
from harness.results.state import State
from harness.tracking.cell_teller import CellTeller
from harness.tracking.events import TrackedCell, TrackedSuite
from harness.tracking.memory import memory_file

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
