"""`harness run`: plan, check, prepare, run what is missing, report."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from harness.catalog import Catalog
from harness.console import news, out
from harness.errors import ConfigError, printable
from harness.execution.executors import (
    Executor,
    RunRequest,
    Watcher,
    executor_class,
)
from harness.execution.pool import WorkerPool
from harness.execution.preflight import check_folder, chosen
from harness.execution.watchers import LiveWatcher, PlainWatcher, summary_of
from harness.files.atomic import read_json
from harness.options import Execution
from harness.plan.plan import Plan, PlannedCell, make_plan, write_manifest
from harness.results.state import State
from harness.results.tidy import tidy
from harness.suite.file import Suite
from harness.suite.tracker_entries import trackers_of
from harness.tracking.trackers import Trackers

DONE, FAILED, STOPPED = 0, 1, 75


@dataclass(frozen=True)
class RunOptions:
    """What the command line says about a run; nothing of it changes a result.

    Attributes
    ----------
    workers
        Cells at a time; None: one a GPU, or as many as the cores have threads for.
    per_device
        Cells that share a GPU.
    device
        `auto` takes the GPUs, if there are any.
    only
        Patterns of the cells to run; none: all.
    retries
        Instead of the suite's.
    executor
        Who runs the cells, by name.
    profile
        Resources of jobs: a file, or its name in the user's configuration.
    dry_run
        Print what would be submitted, and submit nothing.
    wait
        Follow submitted jobs to their end.
    trackers
        Names of trackers, beside the suite's.
    """

    runs: Path
    leaderboard: Path
    workers: int | None = None
    per_device: int | None = None
    device: str = "auto"
    only: tuple[str, ...] = ()
    retries: int | None = None
    fail_fast: bool = False
    keep_stale: bool = False
    quiet: bool = False
    verbose: bool = False
    executor: str = "local"
    profile: str | None = None
    dry_run: bool = False
    wait: bool = True
    trackers: tuple[str, ...] = ()


def run_suite(
    suite: Suite,
    catalog: Catalog,
    options: RunOptions,
    pool: WorkerPool | None = None,
) -> int:
    """Run what is missing of a suite and write its leaderboard; an exit code.

    Parameters
    ----------
    pool
        Where workers of this machine come from, closed at the end; None: a fork
        server of this run's own.

    Raises
    ------
    ConfigError, DataError
        Before the first cell, if the suite can't be run as it is.
    """
    trackers = trackers_of(catalog, suite.trackers, options.trackers)
    plan = make_plan(suite, catalog, options.runs)
    if plan.missing_data:
        raise ConfigError(list(plan.missing_data.values()), str(suite.path))
    executor = executor_class(options.executor)(_request(suite, options, pool))
    if not options.dry_run:
        check_folder(options.runs)
        check_folder(options.leaderboard)
        write_manifest(plan, options.runs)
        for planned in plan.cells:
            if planned.state == "done":
                tidy(options.runs / planned.cell.folder)
    cells = _settle_stale(plan, options)
    if options.only:
        cells = chosen(cells, options.only)
    pending = [p for p in cells if p.state != "done"]
    if not options.quiet:
        news().print(_opening(suite, cells, pending, len(plan.cells)))
    if options.dry_run:
        executor.show(cells)
        return DONE

    def warn(tracker: str, problem: str) -> None:
        said = escape(printable(problem))
        news().print(f"[yellow]tracker {escape(tracker)}[/]: {said}")

    def say(text: str) -> None:
        if not options.quiet:
            news().print(escape(text))

    with Trackers(trackers, suite, cells, options.runs, warn, say) as told:
        states = _run_missing(cells, executor, options, told)
        if states is not None:
            _report(suite, options, catalog.sources())
        told.finish()
    return DONE if states is None else _conclude(states, executor, options)


def _run_missing(
    cells: Sequence[PlannedCell],
    executor: Executor,
    options: RunOptions,
    trackers: Trackers,
) -> dict[str, State] | None:
    """The states in which the cells end, by id; None if they are not waited for."""
    if all(p.state == "done" for p in cells):
        return {p.cell.id: p.state for p in cells}

    @contextmanager
    def watching(count: int) -> Iterator[Watcher]:
        with _watcher(count, options) as watcher:
            yield trackers.watching(watcher)

    return executor.run(cells, watching)


def _conclude(states: dict[str, State], executor: Executor, options: RunOptions) -> int:
    """Sum up a run that is over; its exit code."""
    code = _exit_code(list(states.values()))
    if not options.quiet:
        news().print(summary_of(list(states.values())))
    if code == STOPPED:
        news().print("stopped; the same command goes on from here")
        if note := executor.after_stop():
            news().print(note)
    return code


def _settle_stale(plan: Plan, options: RunOptions) -> list[PlannedCell]:
    """Say which results are stale, and take them for done only if told to."""
    stale = [p for p in plan.cells if p.state == "stale"]
    if stale:
        does = "kept" if options.keep_stale else "run again (--keep-stale keeps them)"
        names = ", ".join(sorted({p.cell.strategy_name for p in stale}))
        news().print(
            f"[yellow]stale results: {len(stale)}[/]: the source of a plugin has "
            f"changed since ({escape(names)}); {does}"
        )
    if not options.keep_stale:
        return list(plan.cells)
    return [
        dataclasses.replace(p, state="done") if p.state == "stale" else p
        for p in plan.cells
    ]


def _opening(
    suite: Suite,
    cells: Sequence[PlannedCell],
    pending: Sequence[PlannedCell],
    in_all: int,
) -> str:
    done = len(cells) - len(pending)
    of = "" if len(cells) == in_all else f" of {in_all}"
    return (
        f"suite {suite.name}: {len(cells)}{of} cells, {done} done, "
        f"{len(pending)} to run"
    )


def _execution(suite: Suite, options: RunOptions) -> Execution:
    if options.retries is None:
        return suite.execution
    return suite.execution.model_copy(update={"retries": options.retries})


def _request(suite: Suite, options: RunOptions, pool: WorkerPool | None) -> RunRequest:
    return RunRequest(
        runs=options.runs,
        suite=suite.name,
        execution=_execution(suite, options),
        workers=options.workers,
        per_device=options.per_device,
        device=options.device,
        profile=options.profile,
        dry_run=options.dry_run,
        wait=options.wait,
        fail_fast=options.fail_fast,
        quiet=options.quiet,
        pool=pool,
    )


def _watcher(total: int, options: RunOptions) -> PlainWatcher:
    if news().is_terminal and not options.quiet:
        return LiveWatcher(news(), total)
    return PlainWatcher(news(), total, quiet=options.quiet, verbose=options.verbose)


def _exit_code(states: Sequence[State]) -> int:
    if any(state in ("failed", "blocked") for state in states):
        return FAILED
    return STOPPED if any(state != "done" for state in states) else DONE


def _report(suite: Suite, options: RunOptions, installed: Mapping[str, str]) -> None:
    from harness.report.board.board import Board
    from harness.report.render.index import write_index
    from harness.report.render.terminal import summary_lines
    from harness.report.write import write_leaderboard

    markdown, data = write_leaderboard(
        options.runs,
        suite.name,
        options.leaderboard,
        anew=False,
        installed=installed,
    )
    refusal = write_index(options.leaderboard)
    if not options.quiet:
        if refusal:
            news().print(escape(refusal))
        board = Board.model_validate(read_json(data))
        out().print(escape("\n".join(summary_lines(board))))
    out().print(f"leaderboard: {escape(str(markdown))}")
