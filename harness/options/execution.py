"""What a suite may say about how cells are run: never part of what they are.

What it may say about SLURM, which a profile may say as well, is here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeGuard

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StringConstraints,
    field_validator,
    model_validator,
)

from harness.options.executor_tables import brought_executors, read_table
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

    _brought: dict[str, Parameters] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _with_brought(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self]
    ) -> Self:
        """Take tables of other packages' executors apart, and leave the rest closed."""
        names = values.keys() - cls.model_fields.keys() if _is_table(values) else ()
        brought = {name for name in names if name in brought_executors()}
        execution = handler(
            {key: value for key, value in values.items() if key not in brought}
            if brought
            else values
        )
        for name in sorted(brought):
            execution._brought[name] = read_table(name, values[name])
        return execution

    def table(self, executor: str) -> Parameters | None:
        """What the suite says of an executor, by its name; None for nothing."""
        if executor in self._brought:
            return self._brought[executor]
        found = getattr(self, executor, None)
        return found if isinstance(found, Parameters) else None


def _is_table(values: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(values, Mapping)


def _one_word(text: str) -> str:
    if len(text.split()) != 1 or text != text.strip():
        raise ValueError(f"should be one word, got {text!r}")
    return text


Word = Annotated[str, AfterValidator(_one_word)]
"""One word: a space or a line break would begin another option."""
Option = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*$")]

OWN_OPTIONS = frozenset(
    {
        *("account", "array", "comment", "constraint", "cpus-per-task", "dependency"),
        *("error", "gres", "job-name", "kill-on-invalid-dep", "mem", "nodes"),
        *("ntasks-per-node", "open-mode", "output", "partition", "qos", "requeue"),
        *("signal", "time"),
    }
)
"""Options of sbatch that the harness sets, or that have a key of their own."""
DEFAULT_MINUTES = 60


class Slurm(Parameters):
    """The resources of a cell's SLURM job; never part of a cell's identity."""

    partition: Word | None = Field(None, description="where the jobs queue")
    time_minutes: int | None = Field(
        None,
        ge=1,
        description="of a job, which is put back in the queue when it is over; "
        "default: time_limit_minutes and ten more, or an hour",
    )
    gpus: int = Field(0, ge=0, le=1, description="for each process of a cell")
    gpu_type: Word | None = Field(None, description="as the cluster calls it")
    cpus: int | None = Field(
        None, ge=1, description="cores of a cell; default: its threads x its processes"
    )
    memory_gib: float | None = Field(
        None,
        gt=0,
        description="of a cell; default: memory_limit_gib, or what the cluster gives",
    )
    array_width: int | None = Field(
        None, ge=1, description="jobs of one array that may be at work at a time"
    )
    account: Word | None = Field(None, description="who pays")
    qos: Word | None = Field(None, description="quality of service")
    constraint: Word | None = Field(None, description="features that nodes must have")
    setup: list[str] = Field([], description="shell lines that come before the cell")
    options: dict[Option, Any] = Field(
        {}, description="further options of sbatch; true for those without a value"
    )
    max_requeues: int = Field(
        5,
        ge=0,
        description="times in a row that a job may be stopped without having written "
        "a new checkpoint",
    )
    signal_seconds: int = Field(
        120,
        ge=1,
        le=3600,
        description="from the warning that the time is nearly over to its end; half "
        "of the time at most",
    )

    @field_validator("options")
    @classmethod
    def _options(cls, options: dict[str, Any]) -> dict[str, Any]:
        own = sorted(OWN_OPTIONS & set(options))
        if own:
            raise ValueError(
                f"{', '.join(map(repr, own))} can't be given here: the harness sets "
                "it, or has a key for it"
            )
        for name, value in options.items():
            plain = isinstance(value, bool | int | str) and value is not False
            if not plain or "\n" in str(value):
                raise ValueError(
                    f"{name!r} should be a text of one line, a whole number or true, "
                    f"got {value!r}"
                )
        return options

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.gpu_type and not self.gpus:
            raise ValueError("gpu_type is given, but no GPU is asked for: gpus = 1")
        return self
