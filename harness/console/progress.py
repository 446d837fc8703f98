"""A progress bar over records."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from harness.console.output import news


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
