"""One side of a comparison: a runs folder, or a leaderboard's JSON file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.errors import ConfigError, did_you_mean
from harness.files.atomic import read_json
from harness.options.explain import shortened
from harness.report.diff.board_schema import Board, DatasetFile, RowFile, TableFile
from harness.report.frame import check_suite_name, read_suite
from harness.report.leaderboard import build_leaderboard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.report.frame import SuiteResults

Key = tuple[str, str | None, str]
"""Data set, model (None for floors) and strategy: their labels."""
Placed = tuple[DatasetFile, TableFile, RowFile]
"""A row with its table and its data set."""


@dataclass(frozen=True)
class Side:
    """What is known of a suite on one side.

    Attributes
    ----------
    path
        As it was given.
    results
        None for a JSON file, which has no predictions beside it.
    """

    path: Path
    board: Board
    results: SuiteResults | None = None

    @property
    def rows(self) -> dict[Key, Placed]:
        """Every row; floors once a data set."""
        return dict(_rows(self.board))


def _rows(board: Board) -> Iterator[tuple[Key, Placed]]:
    for dataset in board.datasets:
        for table in dataset.tables:
            for row in table.rows:
                model = None if row.floor else table.model
                yield (dataset.label, model, row.strategy), (dataset, table, row)


def open_side(path: Path, suite: str | None) -> Side:
    """Read one side.

    Parameters
    ----------
    suite
        Which suite of a runs folder; None: its only one.

    Raises
    ------
    ConfigError
        If there is nothing at `path`, if it isn't what it should be, or if the suite
        isn't known or isn't the one of the file.
    """
    if path.is_dir():
        return _runs_folder(path, suite)
    try:
        board = Board.model_validate(read_json(path))
    except FileNotFoundError:
        raise ConfigError("no such runs folder or file", str(path)) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"is no leaderboard: {_cause(error)}", str(path)) from None
    if suite is not None and board.suite != suite:
        raise ConfigError(f"is of suite {board.suite!r}, not {suite!r}", str(path))
    return Side(path, board)


def _runs_folder(path: Path, suite: str | None) -> Side:
    known = sorted(file.stem for file in (path / "suites").glob("*.json"))
    if not known:
        raise ConfigError(
            "is no runs folder: it has no suites/*.json; give a folder that "
            "`harness run` wrote, or a leaderboard's JSON file",
            str(path),
        )
    if suite is None and len(known) > 1:
        raise ConfigError(
            f"holds several suites; choose one with --suite: {', '.join(known)}",
            str(path),
        )
    name = suite or known[0]
    check_suite_name(name)
    if name not in known:
        raise ConfigError(f"no suite {name!r}: {did_you_mean(name, known)}", str(path))
    results = read_suite(path, name)
    return Side(path, Board.model_validate(build_leaderboard(results)), results)


def _cause(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if not isinstance(error, ValidationError):
        return f"no JSON that can be relied on: {error}"
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    if where == "schema_version" and first["type"] != "missing":
        return f"schema_version is {shortened(repr(first['input']))}; 1 can be read"
    return f"{where}: {first['msg']}" if where else first["msg"]
