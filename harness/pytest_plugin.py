"""Leaderboards in pytest: a suite's rows as tests, and a fixture to state more.

`pytest --harness-suite SUITE` runs the suite and tests each row of the committed
leaderboard: it fails where `harness diff --gate` would refuse.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.report.diff.changes import RowChange
    from harness.report.diff.sides import Key
    from harness.testing import Leaderboard


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the plugin."""
    group = parser.getgroup("harness", "leaderboards of training strategies")
    group.addoption(
        "--harness-suite",
        action="append",
        default=[],
        metavar="SUITE",
        help="run this suite, and test each row of its committed leaderboard; "
        "may be repeated",
    )
    group.addoption(
        "--harness-leaderboard",
        default="leaderboard",
        metavar="FOLDER",
        help="folder of committed leaderboards, SUITE.json each (default: %(default)s)",
    )
    group.addoption(
        "--harness-runs",
        metavar="FOLDER",
        help="folder of results that are gone on from (default: a temporary one, so "
        "that everything is measured afresh)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take the suites for test files; for the only ones, if no others were named."""
    measuring = Measuring(config)
    config.stash[_MEASURING] = measuring
    given = [str(path) for path in measuring.suites]
    if given and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = given
    else:
        config.args += [path for path in given if path not in config.args]


def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    """The rows of a suite that was asked for."""
    if file_path in parent.config.stash[_MEASURING].suites:
        return SuiteRows.from_parent(parent, path=file_path)
    return None


@pytest.fixture(scope="session")
def harness_leaderboard(
    pytestconfig: pytest.Config,
) -> Callable[[str | Path], Leaderboard]:
    """Calls for a leaderboard: of a suite's TOML file, which is run, once a session;
    or of a runs folder or a leaderboard's JSON file, as it is. Relative paths start at
    pytest's root folder.
    """
    return pytestconfig.stash[_MEASURING].open


class Measuring:
    """Runs each suite at most once a session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._known: dict[Path, Leaderboard | HarnessError] = {}
        self._changes: dict[Path, dict[Key, RowChange]] = {}
        self.suites = [self._located(name) for name in config.option.harness_suite]

    def open(self, path: str | Path) -> Leaderboard:
        """As the fixture says.

        Raises
        ------
        ConfigError
            If there is no such thing, or it can't be run.
        """
        from harness.testing import measure_suite, read_leaderboard

        if Path(path).suffix != ".toml":
            return read_leaderboard(self._config.rootpath / path)
        suite = self._located(path)
        if suite not in self._known:
            try:
                self._known[suite] = measure_suite(suite, self._runs())
            except HarnessError as error:
                self._known[suite] = error
        found = self._known[suite]
        if isinstance(found, HarnessError):
            raise found
        return found

    def changes(self, suite: Path) -> dict[Key, RowChange]:
        """What became of each row since the leaderboard was committed."""
        from harness.report.diff.pairs import compare_sides

        if suite not in self._changes:
            committed, measured = self.committed(suite), self.open(suite)
            rows = compare_sides(committed.side, measured.side).rows
            by_key = {(row.dataset, row.model, row.strategy): row for row in rows}
            self._changes[suite] = by_key
        return self._changes[suite]

    def committed(self, suite: Path) -> Leaderboard:
        """The leaderboard that the suite is held against."""
        from harness.suite.file import read_suite_file
        from harness.testing import read_leaderboard

        name = read_suite_file(suite).name or suite.stem
        folder = Path(self._config.option.harness_leaderboard)
        path = self._config.rootpath / folder / f"{name}.json"
        return read_leaderboard(path, name)

    def _located(self, path: str | Path) -> Path:
        return self._config.rootpath.joinpath(path).resolve()

    def _runs(self) -> Path:
        given = self._config.option.harness_runs
        if given is not None:
            return self._config.rootpath.joinpath(given)
        folder = tempfile.TemporaryDirectory(prefix="harness-runs-")
        self._config.add_cleanup(folder.cleanup)
        return Path(folder.name)


_MEASURING = pytest.StashKey[Measuring]()


class SuiteRows(pytest.File):
    """The rows of a suite's committed leaderboard."""

    def collect(self) -> Iterator[RowTest]:
        """One test a row; the suite isn't run yet."""
        try:
            rows = self.config.stash[_MEASURING].committed(self.path).rows
        except HarnessError as error:
            raise self.CollectError(str(error)) from None
        for row in rows:
            yield RowTest.from_parent(self, name=str(row), key=row.key)


class RowTest(pytest.Item):
    """That a row didn't fall behind what was committed."""

    def __init__(self, *, key: Key, **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self.key = key

    def runtest(self) -> None:
        """Run the suite, if this is its first row, and judge the row.

        Raises
        ------
        RefusedError
            If the gate refuses it, or it can't be compared any more.
        """
        change = self.config.stash[_MEASURING].changes(self.path)[self.key]
        problems = list(change.regressions)
        if change.verdict in ("gone", "other data"):
            notes = ", ".join(change.notes)
            problems.append(
                f"{change.verdict} ({notes}); commit a leaderboard of what is measured"
            )
        if problems:
            raise RefusedError("\n".join(problems))
        if change.verdict == "too few seeds":
            pytest.skip("macro-F1 can't be judged: too few seeds")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:  # type: ignore[override]
        """What is refused, without a traceback."""
        if isinstance(excinfo.value, RefusedError | HarnessError):
            return f"{self.name}: {excinfo.value}"
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test stands."""
        return self.path, None, self.name


class RefusedError(Exception):
    """A row that fell behind the committed leaderboard; says by what."""
