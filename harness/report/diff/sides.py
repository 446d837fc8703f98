"""The two sides of a comparison, and what their rows were measured on and with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.errors import ConfigError, did_you_mean
from harness.files.atomic import read_json
from harness.options import Budget
from harness.options.explain import shortened
from harness.report.board.board import Board, DatasetTables, Row, Table
from harness.report.board.build import build_leaderboard
from harness.report.read import check_suite_name, read_suite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.report.board.board import DataAbout, DatasetTables
    from harness.report.read import SuiteResults


Key = tuple[str, str | None, str]
"""Data set, model (None for floors) and strategy: their labels."""
Placed = tuple[DatasetTables, Table, Row]
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
    return Side(path, build_leaderboard(results), results)


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


def same_records(before: DatasetTables, after: DatasetTables) -> bool:
    """Whether test records and their labels are the same, as far as it's written."""
    if before.about is None or after.about is None:
        return False
    alike = _tested(before.about) == _tested(after.about)
    return alike and len(before.about.fingerprints) == 1


def _tested(about: DataAbout) -> tuple[Any, ...]:
    return (
        *(about.name, about.version, about.task, about.classes),
        *(about.fingerprints, about.label_rules, about.counts.get("test")),
    )


def other_settings(before: Placed, after: Placed) -> Iterator[str]:
    """What isn't as it was on BASE, a few words each."""
    (data, table, row), (new_data, new_table, new_row) = before, after
    if data.about and new_data.about:
        if not same_records(data, new_data):
            yield "other test data"
        signals = [
            (about.leads, about.sampling_rate, about.seconds, about.chunks)
            for about in (data.about, new_data.about)
        ]
        if signals[0] != signals[1]:
            yield "other leads, rate or length"
    if row.versions and new_row.versions and row.versions != new_row.versions:
        yield "other strategy version"
    if not row.floor and table.model_versions and new_table.model_versions:
        if table.model_versions != new_table.model_versions:
            yield "other model version"
        if _counts_differ(table.parameters, new_table.parameters):
            yield "other model size"
    if table.budget is not None and new_table.budget is not None:
        old = _whole_budget({**table.budget, **row.own_budget})
        new = _whole_budget({**new_table.budget, **new_row.own_budget})
        names = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
        if names:
            yield f"other {', '.join(names)}"


def _whole_budget(written: dict[str, Any]) -> dict[str, Any]:
    """A budget with what held before there was a setting, which older results lack."""
    try:
        budget = Budget.model_validate_json(json.dumps(written))
    except ValidationError:
        return written
    return budget.model_dump(mode="json")


def _counts_differ(old: Any, new: Any) -> bool:
    """Whether both are known, and apart; older files hold something else there."""
    return isinstance(old, int) and isinstance(new, int) and old != new
