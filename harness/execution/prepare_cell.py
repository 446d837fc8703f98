"""What each process of a cell does before it trains."""

from __future__ import annotations

from harness.catalog import source_hash
from harness.cell import Cell
from harness.data.dataset import OpenData, leads_beside, open_cell_data
from harness.data.prepare import Prepared
from harness.data.splits_loaded import DataSplits
from harness.errors import ConfigError
from harness.execution.job import Job
from harness.training.run import Run
from harness.training.train_cell import make_run, set_determinism


def open_job_data(job: Job) -> OpenData:
    """The cell's records, for a process that is set to give equal bits each time.

    Raises
    ------
    ConfigError
        If a plugin was edited after the suite was planned.
    DataError
        If the data set isn't what it was when the suite was planned.
    """
    _check_sources(job.cell)
    set_determinism(job.cell.budget.threads)
    return open_cell_data(job.cell)


def prepare_run(job: Job, data: OpenData) -> tuple[Prepared, DataSplits, Run]:
    """The cell's prepared file, its splits and its run, not started."""
    prepared = data.prepare()
    budget = int(job.execution.memory_budget_gib * 2**30)
    splits = data.load(prepared, budget, leads_beside(job.cell, data.dataset))
    return prepared, splits, make_run(job.cell, splits, job.folder, job.execution)


def _check_sources(cell: Cell) -> None:
    """Refuse to lay a result to source that is no longer there."""
    for choice in cell.choices:
        if source_hash(choice.locator) != choice.source_hash:
            raise ConfigError(
                f"plugin {choice.name!r} was edited while the suite ran; run it again"
            )
