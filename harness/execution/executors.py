"""Who runs the cells of a suite, by name: this machine, SLURM, another package's.

A further executor is a class that an entry point of the group `harness.executors`
names; nothing here knows more of it than `Executor` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from harness.cell import Cell
from harness.errors import ConfigError, did_you_mean
from harness.options import Execution
from harness.options.executor_tables import brought_executors, load_executor
from harness.plan.plan import PlannedCell
from harness.plugin import Parameters
from harness.results.state import State

if TYPE_CHECKING:
    from harness.execution.pool import WorkerPool

LOCAL = "local"
"""Runs cells where nothing else is asked for."""
_OWN = {
    LOCAL: ("harness.execution.this_machine", "ThisMachine"),
    "slurm": ("harness.execution.slurm.executor", "SlurmExecutor"),
}
"""The executors that come with the harness: where their classes are."""


class Watcher(Protocol):
    """Whoever shows people how a run goes."""

    def started(self, cell: Cell) -> None:
        """A process took the cell up."""

    def progressed(self, cell: Cell, progress: str) -> None:
        """What the cell's process is at."""

    def again(self, cell: Cell, message: str) -> None:
        """The cell's process ended, and another one will take it up."""

    def ended(self, cell: Cell, state: State, message: str) -> None:
        """The cell is done, failed, blocked, or (planned) was asked to stop."""


Watching = Callable[[int], AbstractContextManager[Watcher]]
"""Shows people, while it is entered, how so many cells fare."""


@dataclass(frozen=True)
class RunRequest:
    """What a command and a suite ask of whoever runs the cells.

    Attributes
    ----------
    runs
        The folder of results.
    suite
        Its name.
    execution
        Limits, checkpoints, and by `table(name)` what the suite says of an executor.
    workers
        Cells at a time; None: as many as there is room for.
    per_device
        Cells that share a GPU.
    device
        `auto` takes the GPUs, if there are any.
    profile
        A file, or the name of one, that goes before what the suite says.
    dry_run
        Nothing shall be run or submitted: `show` is called, and no `run`.
    wait
        Whether cells that run elsewhere are followed to their end.
    pool
        Where workers of this machine come from; None: a fork server of their own.
    """

    runs: Path
    suite: str
    execution: Execution
    workers: int | None = None
    per_device: int | None = None
    device: str = "auto"
    profile: str | None = None
    dry_run: bool = False
    wait: bool = True
    fail_fast: bool = False
    quiet: bool = False
    pool: WorkerPool | None = None


class Executor(Protocol):
    """Runs cells.

    Attributes
    ----------
    options
        The options of `harness run` that speak of it, as parameters of `RunRequest`;
        the others of `CHOICES` are refused, as they would be ignored.
    why_not
        Why such an option is refused, after its name.
    table
        What a suite may say of it in `[execution.<name>]`; None for nothing. (That of
        SLURM is part of `Execution` itself.)
    """

    options: ClassVar[frozenset[str]]
    why_not: ClassVar[str]
    table: ClassVar[type[Parameters] | None]

    def __init__(self, request: RunRequest) -> None:
        """Get ready.

        Raises
        ------
        ConfigError
            If it can't do what is asked.
        """

    def show(self, cells: Sequence[PlannedCell]) -> None:
        """Print what would be run or submitted (`--dry-run`)."""

    def run(
        self, cells: Sequence[PlannedCell], watching: Watching
    ) -> dict[str, State] | None:
        """Run the cells that aren't done; the states in which all end, by id.

        None if they aren't waited for.
        """

    def after_stop(self) -> str:
        """What goes on when a run was stopped, for people; empty for nothing."""

    @classmethod
    def job_notes(cls, runs: Path) -> Mapping[str, str]:
        """What is to be said of each cell that waits or runs elsewhere, by its id."""

    @classmethod
    def cancel(cls, suite: str, runs: Path) -> bool:
        """Take back what waits or runs elsewhere of a suite, and say what; False: there
        is nothing.
        """


CHOICES: Mapping[str, tuple[str, object]] = {
    "workers": ("--workers", None),
    "per_device": ("--per-device", None),
    "device": ("--device", "auto"),
    "profile": ("--profile", None),
    "dry_run": ("--dry-run", False),
    "wait": ("--no-wait", True),
}
"""Options that speak of some executors only, with what they are if not given."""


def executor_names() -> list[str]:
    """All of them, those that come with the harness first; none is imported."""
    return list(dict.fromkeys([*_OWN, *sorted(brought_executors())]))


def executor_class(name: str) -> type[Executor]:
    """The executor of a name.

    Raises
    ------
    ConfigError
        If there is none, or it can't be imported.
    """
    if name in _OWN:
        module, attribute = _OWN[name]
        return cast("type[Executor]", getattr(import_module(module), attribute))
    if name not in brought_executors():
        known = executor_names()
        raise ConfigError(f"--executor: unknown {name!r}; {did_you_mean(name, known)}")
    return cast("type[Executor]", load_executor(name))


def executors_with_jobs(runs: Path) -> list[type[Executor]]:
    """Those that keep records of jobs in `runs/<name>/`."""
    return [executor_class(n) for n in executor_names() if (runs / n).is_dir()]


def check_choices(name: str, chosen: Mapping[str, object]) -> None:
    """Refuse options of `CHOICES` that would be ignored.

    Raises
    ------
    ConfigError
        With every one that says nothing about this executor.
    """
    executor = executor_class(name)
    problems = [
        f"{option} {executor.why_not}"
        for key, (option, unset) in CHOICES.items()
        if chosen[key] != unset and key not in executor.options
    ]
    if chosen["dry_run"] and "dry_run" not in executor.options:
        problems.append("`harness plan` shows what would run on this machine")
    if problems:
        raise ConfigError(problems)
