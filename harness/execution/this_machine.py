"""The machine at hand as an executor: places for cells, prepared data, workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from harness.errors import ConfigError
from harness.execution.executors import RunRequest, Watching
from harness.execution.local import LocalExecutor
from harness.execution.places import Request, places_for
from harness.execution.pool import WorkerPool
from harness.execution.preflight import prepare_data
from harness.execution.schedule import expected_seconds
from harness.plan.plan import PlannedCell
from harness.plugin import Parameters
from harness.results.state import State


class ThisMachine:
    """Runs cells in worker processes, several at a time."""

    options: ClassVar = frozenset({"workers", "per_device", "device"})
    why_not: ClassVar = "is about jobs: it needs --executor slurm"
    table: ClassVar[type[Parameters] | None] = None

    def __init__(self, request: RunRequest) -> None:
        self._request = request

    def show(self, cells: Sequence[PlannedCell]) -> None:
        """Nothing is submitted from here.

        Raises
        ------
        ConfigError
            Always.
        """
        raise ConfigError("`harness plan` shows what would run on this machine")

    def run(self, cells: Sequence[PlannedCell], watching: Watching) -> dict[str, State]:
        """Run the cells that aren't done; the states in which all end, by id."""
        request = self._request
        pending = [p for p in cells if p.state != "done"]
        waiting = [p.cell for p in pending]
        pool = request.pool or WorkerPool()
        places = places_for(
            waiting, Request(request.workers, request.per_device, request.device)
        )
        try:
            pool.warm_up()
            prepare_data(pending, quiet=request.quiet)
            with watching(len(pending)) as watcher:
                executor = LocalExecutor(
                    request.runs,
                    request.execution,
                    places,
                    watcher,
                    seconds=expected_seconds(waiting, request.runs),
                    pool=pool,
                    fail_fast=request.fail_fast,
                )
                return executor.run(cells)
        finally:
            pool.close()

    def after_stop(self) -> str:
        """Nothing goes on."""
        return ""

    @classmethod
    def job_notes(cls, runs: Path) -> Mapping[str, str]:  # noqa: ARG003
        """Cells run in no jobs."""
        return {}

    @classmethod
    def cancel(cls, suite: str, runs: Path) -> bool:  # noqa: ARG003
        """There is nothing to take back."""
        return False
