"""What a suite may say about how cells are run: never part of what they are."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.options.slurm import Slurm
from harness.plugin import Parameters


class Execution(Parameters):
    """How cells are run; never part of a cell's identity."""

    processes: int = Field(
        1,
        ge=1,
        le=64,
        description="processes that share each batch of a cell (data parallel); part "
        "of identity where the model has BatchNorm or dropout",
    )
    time_limit_minutes: float | None = Field(None, gt=0, description="for each cell")
    memory_limit_gib: float | None = Field(
        None, gt=0, description="resident memory of a cell's processes"
    )
    stall_minutes: float | None = Field(
        30.0, gt=0, description="a cell that makes no progress for so long is ended"
    )
    retries: int = Field(
        2,
        ge=0,
        le=20,
        description="further attempts at a cell that ran out of memory or was killed",
    )
    checkpoint_seconds: float = Field(
        10.0, ge=0, description="least time between checkpoints after an epoch"
    )
    checkpoint_minutes: float | None = Field(
        None, gt=0, description="least time between checkpoints inside an epoch"
    )
    memory_budget_gib: float = Field(
        8.0, gt=0, description="data held in memory by a cell; more is streamed"
    )
    trackers: list[Any] = Field(
        [],
        description="who is told how the suite goes: names of trackers, or tables as "
        '{ use = "mlflow", ... }',
    )
    slurm: Slurm | None = Field(None, description="resources of a cell's SLURM job")
