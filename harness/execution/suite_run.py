"""`harness run`: plan, check, prepare, run what is missing, report."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from harness.catalog import Catalog
from harness.console.cells import LiveWatcher, PlainWatcher, summary_of
from harness.console.output import news, out
from harness.console.progress import RecordsBar
from harness.errors import ConfigError
from harness.execution.hardware import gpu_names, usable_cores
from harness.execution.local import LocalExecutor
from harness.plan import Plan, PlannedCell, make_plan, write_manifest
from harness.results.state import State
from harness.suite import Suite

DONE, FAILED, STOPPED = 0, 1, 75
LEAST_FREE_BYTES = 256 * 2**20
FEW_RECORDS = 300


@dataclass(frozen=True)
class RunOptions:
    """What the command line says about a run; nothing of it changes a result.

    Attributes
    ----------
    workers
        Cells at a time; None: one a GPU, or as many as the cores have threads for.
    device
        `auto` takes the GPUs, if there are any.
    """

    runs: Path
    leaderboard: Path
    workers: int | None = None
    device: str = "auto"
    fail_fast: bool = False
    keep_stale: bool = False
    quiet: bool = False
    verbose: bool = False


def run_suite(suite: Suite, catalog: Catalog, options: RunOptions) -> int:
    """Run what is missing of a suite and write its leaderboard; an exit code.

    Raises
    ------
    ConfigError, DataError
        Before the first cell, if the suite can't be run as it is.
    """
    plan = make_plan(suite, catalog, options.runs)
    if plan.missing_data:
        raise ConfigError(list(plan.missing_data.values()), str(suite.path))
    check_folder(options.runs)
    check_folder(options.leaderboard)
    write_manifest(plan, options.runs)
    cells = _settle_stale(plan, options)
    pending = [p for p in cells if p.state != "done"]
    if not options.quiet:
        news().print(_opening(suite, cells, pending))
    states: dict[str, State] = {p.cell.id: p.state for p in cells}
    if pending:
        prepare_data(pending, quiet=options.quiet)
        states = _execute(suite, cells, pending, options)
    code = _exit_code(list(states.values()))
    _report(suite, options)
    if not options.quiet:
        news().print(summary_of(list(states.values())))
    if code == STOPPED:
        news().print("stopped; the same command goes on from here")
    return code


def check_folder(folder: Path) -> None:
    """Find out before the first cell whether results can be written.

    Raises
    ------
    ConfigError
        If the folder can't be written, or its disk is nearly full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".writable"):
            pass
    except OSError as error:
        raise ConfigError(
            f"results can't be written to {folder}: {error.strerror}; "
            "choose another folder with --runs or --leaderboard"
        ) from None
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise ConfigError(
            f"{folder}: only {free / 2**20:.0f} MiB of disk are free, "
            f"{LEAST_FREE_BYTES / 2**20:.0f} MiB are the least to start with"
        )


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
    suite: Suite, cells: Sequence[PlannedCell], pending: Sequence[PlannedCell]
) -> str:
    done = len(cells) - len(pending)
    return f"suite {suite.name}: {len(cells)} cells, {done} done, {len(pending)} to run"


def prepare_data(pending: Sequence[PlannedCell], *, quiet: bool = False) -> None:
    """Make the prepared file of every data set that a pending cell needs.

    Raises
    ------
    DataError, ConfigError
        If recordings are bad, or options don't fit the data set.
    """
    from harness.data.opening import open_data

    wanted = {str(p.cell.identity["dataset"]): p.cell for p in pending}
    for cell in wanted.values():
        data = open_data(cell.dataset, cell.options, cell.suite_folder)
        with RecordsBar(str(cell.labels["dataset"]), quiet=quiet) as bar:
            # Starting processes takes longer than decoding a few records.
            few = len(data.index.records) < FEW_RECORDS
            data.prepare(workers=1 if few else usable_cores(), progress=bar)


def devices(options: RunOptions, threads: int) -> list[str]:
    """One entry a worker: the CPU, or a GPU's index."""
    gpus = (
        [] if options.device == "cpu" else [str(i) for i, _ in enumerate(gpu_names())]
    )
    if options.device == "cuda" and not gpus:
        raise ConfigError("--device cuda: no NVIDIA GPU was found")
    if gpus:
        workers = options.workers or len(gpus)
        return [gpus[i % len(gpus)] for i in range(workers)]
    return ["cpu"] * (options.workers or max(1, usable_cores() // threads))


def _execute(
    suite: Suite,
    cells: Sequence[PlannedCell],
    pending: Sequence[PlannedCell],
    options: RunOptions,
) -> dict[str, State]:
    live = news().is_terminal and not options.quiet
    console = news()
    watcher = (
        LiveWatcher(console, len(pending))
        if live
        else PlainWatcher(
            console, len(pending), quiet=options.quiet, verbose=options.verbose
        )
    )
    threads = max(p.cell.budget.threads for p in pending)
    executor = LocalExecutor(
        options.runs,
        suite.execution,
        devices(options, threads),
        watcher,
        fail_fast=options.fail_fast,
    )
    with watcher:
        return executor.run(cells)


def _exit_code(states: Sequence[State]) -> int:
    if any(state in ("failed", "blocked") for state in states):
        return FAILED
    return STOPPED if any(state != "done" for state in states) else DONE


def _report(suite: Suite, options: RunOptions) -> None:
    from harness.report.frame import read_suite
    from harness.report.leaderboard import build_leaderboard
    from harness.report.terminal import summary_lines
    from harness.report.write import write_leaderboard

    markdown, _ = write_leaderboard(options.runs, suite.name, options.leaderboard)
    if not options.quiet:
        board = build_leaderboard(read_suite(options.runs, suite.name))
        out().print(escape("\n".join(summary_lines(board))))
    out().print(f"leaderboard: {escape(str(markdown))}")
