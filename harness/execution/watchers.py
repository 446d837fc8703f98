"""Showing a suite as it runs: a live table, or plain lines where nobody watches.

A progress bar over records is here too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Table

from harness.cell import Cell
from harness.console import news
from harness.errors import printable
from harness.results.state import State

STYLES: dict[str, str] = {
    "done": "green",
    "failed": "red",
    "blocked": "red",
    "stale": "yellow",
    "running": "cyan",
    "planned": "default",
}


class PlainWatcher:
    """A line when a cell starts, and one when it ends.

    Parameters
    ----------
    total
        Number of cells that will run.
    quiet
        Show failures only.
    verbose
        Show each new epoch as well.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        *,
        quiet: bool = False,
        verbose: bool = False,
    ) -> None:
        self._console = console
        self._total = total
        self._quiet = quiet
        self._verbose = verbose
        self._ended = 0
        self._since: dict[str, float] = {}
        self._last: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def started(self, cell: Cell) -> None:
        """A process took the cell up."""
        self._since[cell.id] = time.monotonic()
        if self._verbose:
            self._console.print(f"start    {_text(cell.title)}")

    def progressed(self, cell: Cell, progress: str) -> None:
        """What the cell's process is at."""
        if self._verbose and progress and self._last.get(cell.id) != progress:
            self._last[cell.id] = progress
            self._console.print(f"         {_text(cell.title)}: {_text(progress)}")

    def again(self, cell: Cell, message: str) -> None:
        """The cell's process ended, and another one will take it up."""
        took = self._took(cell)
        self._console.print(
            f"[yellow]again[/]    {_text(cell.title)}  [dim]{took}[/]\n"
            f"         {_text(message)}"
        )

    def ended(self, cell: Cell, state: State, message: str) -> None:
        """The cell is done, failed, blocked or was stopped."""
        self._ended += 1
        if self._quiet and state == "done":
            return
        self._console.print(
            ended_line(self._count(), cell, state, self._took(cell), message)
        )

    def _count(self) -> str:
        return f"{self._ended}/{self._total}"

    def _took(self, cell: Cell) -> str:
        since = self._since.get(cell.id)
        return duration(time.monotonic() - since) if since is not None else ""


class LiveWatcher(PlainWatcher):
    """The running cells as a table that renews itself, ended ones as lines above."""

    def __init__(self, console: Console, total: int, *, verbose: bool = False) -> None:
        super().__init__(console, total)
        self._running: dict[str, tuple[Cell, str]] = {}
        self._states: Counter[str] = Counter()
        self._begun = time.monotonic()
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        self._show()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def started(self, cell: Cell) -> None:
        """A process took the cell up."""
        super().started(cell)
        self._running[cell.id] = (cell, "starting")
        self._show()

    def progressed(self, cell: Cell, progress: str) -> None:
        """What the cell's process is at."""
        if progress:
            self._running[cell.id] = (cell, progress)
        self._show()

    def again(self, cell: Cell, message: str) -> None:
        """The cell's process ended, and another one will take it up."""
        self._running.pop(cell.id, None)
        super().again(cell, message)
        self._show()

    def ended(self, cell: Cell, state: State, message: str) -> None:
        """The cell is done, failed, blocked or was stopped."""
        self._running.pop(cell.id, None)
        self._states[state] += 1
        super().ended(cell, state, message)
        self._show()

    def _show(self) -> None:
        self._live.update(self._picture())

    def _picture(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for cell, progress in self._running.values():
            table.add_row(
                "[cyan]running[/]",
                _text(cell.title),
                _text(progress),
                self._took(cell),
            )
        bar = Table.grid(padding=(0, 1))
        counts = ", ".join(f"{n} {state}" for state, n in sorted(self._states.items()))
        bar.add_row(
            ProgressBar(total=max(1, self._total), completed=self._ended, width=30),
            f"{self._ended}/{self._total} cells",
            duration(time.monotonic() - self._begun),
            counts,
        )
        return Group(table, bar)


def _text(text: str) -> str:
    """Text of anybody's making as markup: nothing in it is a style or a command."""
    return escape(printable(text))


def ended_line(count: str, cell: Cell, state: State, took: str, message: str) -> str:
    """One line of markup for an ended cell."""
    shown = "stopped" if state == "planned" else state
    style = STYLES[state]
    text = f"[{style}]{shown:<8}[/] {_text(cell.title)}"
    tail = [x for x in (took, count) if x]
    line = f"{text}  [dim]{'  '.join(tail)}[/]"
    return f"{line}\n         {_text(message)}" if message else line


def duration(seconds: float) -> str:
    """`42 s`, `3:07`, `1:02:03`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def summary_of(states: Sequence[State]) -> str:
    """`11 done, 1 failed`."""
    left = {"planned": "not done", "running": "not done"}
    counts = Counter(left.get(s, s) for s in states)
    return ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))


class RecordsBar:
    """Appears once there is something to do; one line where nobody watches.

    Called with the records done and their number.
    """

    def __init__(self, label: str, *, quiet: bool = False) -> None:
        self._label = escape(label)
        self._quiet = quiet
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("preparing {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("records"),
            console=news(),
            disable=quiet or not news().is_terminal,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is."""
        if self._task is None:
            if not self._quiet and not news().is_terminal:
                news().print(f"preparing {self._label}: {total} records")
            self._progress.start()
            self._task = self._progress.add_task(self._label, total=total)
        self._progress.update(self._task, completed=done, total=total)
