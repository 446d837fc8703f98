"""The trackers of a run, each in a process of its own that can do cells no harm.

They follow the files that cells write, wherever these run. The run only says which
cells begin and end, and never waits for an answer before the last cell is over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.cell import Cell, PluginChoice
from harness.execution.executors import Watcher
from harness.plan.plan import PlannedCell
from harness.results.state import State
from harness.suite.file import Suite
from harness.tracking.client import Listener
from harness.tracking.process import PATIENCE_SECONDS

MESSAGE_CHARACTERS = 300
SILENT_SECONDS = 5.0
"""How long a finished run waits for its trackers without saying so."""


class Trackers:
    """Whoever is told how a suite goes.

    Parameters
    ----------
    choices
        The trackers, with their parameters.
    cells
        Those of the run, with their states.
    runs
        The folder of results.
    warn
        Called once for a tracker that fails, with its name and why.
    say
        Called with what else there is to say to people.
    """

    def __init__(
        self,
        choices: Sequence[PluginChoice],
        suite: Suite,
        cells: Sequence[PlannedCell],
        runs: Path,
        warn: Callable[[str, str], None],
        say: Callable[[str], None],
    ) -> None:
        self._warn = warn
        self._say = say
        told = [] if not choices else [(p.cell.to_dict(), p.state) for p in cells]
        request = {
            "suite": suite.name,
            "title": suite.title,
            "runs": str(runs.resolve()),
            "cells": told,
        }
        self._listeners = [Listener(choice, request) for choice in choices]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for listener in self._listeners:
            listener.end()

    def watching(self, watcher: Watcher) -> Watcher:
        """The watcher, with the trackers beside it."""
        return _Tracked(watcher, self) if self._listeners else watcher

    def tell(self, **news: Any) -> None:
        """Say that a cell began or ended, to those that listen."""
        for listener in self._listeners:
            listener.tell(news)
        self.look()

    def look(self) -> None:
        """Warn of trackers that have failed."""
        for listener in list(self._listeners):
            listener.listen(0.0)
            self._settle(listener)

    def finish(self) -> None:
        """Let all be told to the end.

        As long as they get on they are waited for: Ctrl-C leaves the rest to the next
        run.
        """
        for listener in self._listeners:
            listener.say_no_more()
        silent_until = time.monotonic() + SILENT_SECONDS
        try:
            while self._listeners:
                self._await_one()
                if self._listeners and time.monotonic() > silent_until:
                    silent_until = math.inf
                    names = ", ".join(listener.name for listener in self._listeners)
                    self._say(
                        f"{names}: being told the rest; Ctrl-C leaves it for later"
                    )
        except KeyboardInterrupt:
            for listener in list(self._listeners):
                listener.give_up("it was not told to the end")
                self._settle(listener)

    def _await_one(self) -> None:
        for listener in list(self._listeners):
            listener.listen(0.1)
            if listener.idle_seconds > PATIENCE_SECONDS:
                listener.give_up("it hangs")
            self._settle(listener)

    def _settle(self, listener: Listener) -> None:
        if not listener.is_over:
            return
        self._listeners.remove(listener)
        listener.end()
        if listener.problem:
            self._warn(listener.name, listener.problem)


class _Tracked:
    """Tells trackers, too, what a watcher is told."""

    def __init__(self, watcher: Watcher, trackers: Trackers) -> None:
        self._trackers = trackers
        self._started = watcher.started
        self._progressed = watcher.progressed
        self._ended = watcher.ended
        self.again = watcher.again

    def started(self, cell: Cell) -> None:
        """A process took the cell up."""
        self._started(cell)
        self._trackers.tell(started=cell.id)

    def progressed(self, cell: Cell, progress: str) -> None:
        """What the cell's process is at."""
        self._progressed(cell, progress)
        self._trackers.look()

    def ended(self, cell: Cell, state: State, message: str) -> None:
        """The cell is done, failed, blocked, or was stopped."""
        self._ended(cell, state, message)
        said = message[:MESSAGE_CHARACTERS]
        self._trackers.tell(ended=cell.id, state=state, message=said)
