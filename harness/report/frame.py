"""What a runs folder knows of a suite, one row a cell; reads files and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import ConfigError, did_you_mean
from harness.files.atomic import read_json
from harness.results.schema import Failure, Measured, Result, SuiteCell, SuiteFile

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
