"""What a runs folder knows of a suite; reads files and nothing else.

Of each cell: its result, its epochs, and the parameters that it was run with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from harness.errors import ConfigError, did_you_mean
from harness.files.atomic import LARGEST_JSON, read_json, read_limited
from harness.results.checked_values import File, Plain
from harness.results.schema import (
    EpochRow,
    Failure,
    Measured,
    Result,
    SuiteCell,
    SuiteFile,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


Status = Literal["planned", "running", "done", "failed", "blocked"]

_SUITE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MEND = "without result.json the cell runs again"
_File = TypeVar("_File", bound=BaseModel)


@dataclass(frozen=True)
class CellResult:
    """A cell and how far it has come; `result` is there exactly when it's done.

    `stale` are the plugins, by kind and name, whose source is known to have been edited
    since; files alone don't tell.
    """

    cell: SuiteCell
    status: Status
    result: Result | None = None
    measured: Measured | None = None
    failure: Failure | None = None
    stale: tuple[str, ...] = ()

    @property
    def state(self) -> Status | Literal["stale"]:
        """As it is counted: what is stale isn't done, though it has a result."""
        return "stale" if self.stale else self.status


@dataclass(frozen=True)
class SuiteResults:
    """All cells of a suite, each once, by dataset, model, strategy and seed.

    `gate` is what the suite says of it, where it differs from the defaults.
    """

    suite: str
    title: str
    cells: tuple[CellResult, ...]
    gate: Mapping[str, Any] = field(default_factory=dict)


def read_suite(runs: Path, suite: str) -> SuiteResults:
    """The cells of `suite` and what is known of each.

    A result that can't be read, or belongs to another cell, makes its cell failed.

    Raises
    ------
    ConfigError
        If there is no such suite, or its list of cells can't be read.
    """
    path = _suite_path(runs, suite)
    try:
        file = SuiteFile.model_validate(read_json(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"can't be read: {_cause(error)}", str(path)) from error
    # A cell that another one requires may be listed beside itself; its row wins.
    order = sorted(file.cells, key=lambda c: c.role != "required")
    cells = {_place(c): c for c in order}
    rows = [_read_cell(runs, cells[place]) for place in sorted(cells)]
    known = _unblocked(rows)
    return SuiteResults(suite, file.title or suite, known, file.gate)


def _unblocked(rows: list[CellResult]) -> tuple[CellResult, ...]:
    """The rows, blocked ones planned again where no required cell fails any more."""
    needs = {row.cell.id: set(row.cell.requires.values()) for row in rows}
    hopeless = {row.cell.id for row in rows if row.status == "failed"}
    while more := {c for c in needs if needs[c] & hopeless} - hopeless:
        hopeless |= more
    return tuple(
        CellResult(row.cell, "planned")
        if row.status == "blocked"
        and needs[row.cell.id]
        and row.cell.id not in hopeless
        else row
        for row in rows
    )


def _place(cell: SuiteCell) -> tuple[str, str, str, int, str]:
    return cell.dataset, cell.model or "", cell.strategy, cell.seed, cell.id


def check_suite_name(suite: str) -> None:
    """Refuse a name that would lead out of the folder that it names a file in.

    Raises
    ------
    ConfigError
        If it isn't letters, digits, dots, dashes and underscores.
    """
    if not _SUITE_NAME.fullmatch(suite):
        raise ConfigError(
            f"a suite's name is letters, digits, '.', '-' and '_', not {suite!r}"
        )


def _suite_path(runs: Path, suite: str) -> Path:
    check_suite_name(suite)
    path = runs / "suites" / f"{suite}.json"
    if not path.is_file():
        known = [file.stem for file in (runs / "suites").glob("*.json")]
        raise ConfigError(
            f"no suite {suite!r}: {did_you_mean(suite, known)}", str(runs)
        )
    return path


def _read_cell(runs: Path, cell: SuiteCell) -> CellResult:
    if not _is_inside(cell.folder):
        return _unreadable(cell, f"folder {cell.folder!r} leaves the runs folder")
    folder = runs / cell.folder
    try:
        result = _read(folder / "result.json", Result)
    except (OSError, ValueError) as error:
        return _unreadable(cell, f"{_cause(error)}; {_MEND}")
    if result is None:
        return _without_result(folder, cell)
    if (result.cell, result.seed) != (cell.id, cell.seed):
        return _unreadable(
            cell, f"it is of cell {result.cell!r}, seed {result.seed}; {_MEND}"
        )
    return CellResult(cell, "done", result, _read_measured(folder))


def _without_result(folder: Path, cell: SuiteCell) -> CellResult:
    try:
        failure = _read(folder / "failure.json", Failure)
    except (OSError, ValueError) as error:
        failure = Failure(kind="crash", message=f"no reason known: {_cause(error)}")
    if failure is not None:
        blocked = failure.kind == "blocked"
        return CellResult(cell, "blocked" if blocked else "failed", failure=failure)
    running = any(folder.glob("claim-*.json"))
    return CellResult(cell, "running" if running else "planned")


def _read_measured(folder: Path) -> Measured | None:
    """Times and hardware, or None: a result stands without them."""
    try:
        return _read(folder / "measured.json", Measured)
    except (OSError, ValueError):
        return None


def _read(path: Path, kind: type[_File]) -> _File | None:
    try:
        return kind.model_validate(read_json(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_inside(folder: str) -> bool:
    path = PurePosixPath(folder)
    return folder.isprintable() and not path.is_absolute() and ".." not in path.parts


def _unreadable(cell: SuiteCell, cause: str) -> CellResult:
    message = f"unreadable result: {cause}"
    return CellResult(
        cell, "failed", failure=Failure(kind="unreadable", message=message)
    )


def _cause(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if not isinstance(error, ValidationError):
        return f"no JSON that can be relied on: {error}"
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


_EPOCHS = TypeAdapter(list[EpochRow])


def read_history(runs: Path, cell: CellResult) -> list[EpochRow]:
    """The epochs of a done cell, in order; none where its history is missing or
    damaged, as a result stands without it.
    """
    if cell.status != "done":
        return []
    path = runs / cell.cell.folder / "history.jsonl"
    try:
        content = read_limited(path, LARGEST_JSON)
        lines = content.removesuffix(b"\n").split(b"\n") if content else []
        # All at once, which takes a quarter of the time.
        return _EPOCHS.validate_json(b"[" + b",".join(lines) + b"]")
    except (OSError, ValueError):
        return []


class CellFile(File):
    """What of `cell.json` is no matter of the seed."""

    dataset: dict[str, Plain]
    model: dict[str, Plain] | None
    strategies: list[dict[str, Plain]]
    budget: dict[str, Plain]


def read_parameters(runs: Path, cell: CellResult) -> dict[str, str]:
    """Every parameter of a cell by its dotted name, defaults included; none where its
    file is missing or damaged.
    """
    try:
        found = CellFile.model_validate(
            read_json(runs / cell.cell.folder / "cell.json")
        )
    except (OSError, ValueError):
        return {}
    strategies = {
        str(one.get("name", i)): one for i, one in enumerate(found.strategies)
    }
    parts = {
        "dataset": found.dataset,
        "model": found.model,
        "strategy": strategies,
        "budget": found.budget,
    }
    return dict(_flat(parts, ""))


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from _flat(value[key], f"{name}.{key}" if name else key)
    elif value is None or value == {}:
        yield name, "none"
    elif isinstance(value, list):
        yield name, ", ".join(map(_shown, value)) or "none"
    else:
        yield name, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k} {_shown(v)}" for k, v in value.items()) + ")"
    return str(value)


def shared_parameters(
    cells: Iterable[Mapping[str, str]],
) -> list[tuple[str, str]]:
    """Names and values over the seeds of a row: each value once."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        for name, value in cell.items():
            found.setdefault(name, {})[value] = None
    return [(name, " or ".join(values)) for name, values in found.items()]
