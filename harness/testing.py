"""What a project states of its leaderboards in tests of its own.

The pytest plugin's fixture `harness_leaderboard` gives them; nothing here needs pytest.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness.errors import ConfigError, did_you_mean
from harness.report.diff.changes import RowChange
from harness.report.diff.pairs import compare_sides
from harness.report.diff.sides import Key, Side, open_side
from harness.suite.file import read_suite_file

__all__ = [
    "Leaderboard",
    "Row",
    "assert_cost_not_above",
    "assert_not_below",
    "measure_suite",
    "read_leaderboard",
]

_MEASURED = (0, 1)
"""Exit codes of a run that came to its end; with 1, some cells failed."""


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a leaderboard: means over seeds, None where not measured."""

    side: Side
    key: Key

    @property
    def macro_f1(self) -> float | None:
        """On the test split."""
        return self.mean("macro_f1")

    @property
    def effective_epochs(self) -> float | None:
        """Samples that were trained on, over training samples."""
        return self.mean("effective_epochs")

    @property
    def training_flops(self) -> float | None:
        """Of the row's cells and of what they require."""
        return self.mean("training_flops")

    @property
    def peak_memory_bytes(self) -> float | None:
        """Live tensor bytes of a training step."""
        return self.mean("peak_memory_bytes")

    def mean(self, figure: str) -> float | None:
        """Of `macro_auroc`, `accuracy`, `forward_epochs` or one of the above."""
        _, _, row = self.side.rows[self.key]
        values = [seed.figure(figure) for seed in row.seeds]
        known = [value for value in values if value is not None]
        return fmean(known) if known else None

    def __str__(self) -> str:
        return " · ".join(part for part in self.key if part)


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """A leaderboard of a suite, read from its JSON file or from a runs folder."""

    side: Side

    @property
    def rows(self) -> list[Row]:
        """All rows; floors once a data set."""
        return [Row(self.side, key) for key in self.side.rows]

    def row(
        self, strategy: str, *, model: str | None = None, dataset: str | None = None
    ) -> Row:
        """The row of these labels; those that leave no choice may be left out.

        Raises
        ------
        ConfigError
            If there is no such row, or more than one.
        """
        found = [
            row
            for row in self.rows
            if row.key[2] == strategy
            and model in (None, row.key[1])
            and dataset in (None, row.key[0])
        ]
        if len(found) == 1:
            return found[0]
        if found:
            which = "; ".join(map(str, found))
            problem = f"several rows {strategy!r}: {which}; say which model or dataset"
        else:
            near = did_you_mean(strategy, {row.key[2] for row in self.rows})
            problem = (
                f"no such row {strategy!r} (model {model}, data {dataset}): {near}"
            )
        raise ConfigError(problem, str(self.side.path))


def read_leaderboard(path: Path, suite: str | None = None) -> Leaderboard:
    """A leaderboard's JSON file, or a runs folder (and which suite of it).

    Raises
    ------
    ConfigError
        If it is neither.
    """
    return Leaderboard(open_side(path, suite))


def measure_suite(suite: Path, runs: Path) -> Leaderboard:
    """Run what is missing of a suite in `runs`, in a process of its own.

    Raises
    ------
    ConfigError
        If the suite can't be run, or didn't come to its end. Cells that fail are rows
        that aren't done.
    """
    file = read_suite_file(suite)
    command = [sys.executable, "-m", "harness", "run", str(suite), "-q"]
    command += ["--runs", str(runs), "--leaderboard", str(runs / "leaderboard")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in _MEASURED:
        raise ConfigError(f"can't be measured: {done.stderr.strip()}", str(suite))
    return read_leaderboard(runs, file.name or suite.stem)


def assert_not_below(measured: Row, committed: Row, by: float = 0.0) -> None:
    """That macro-F1 isn't measurably below what was committed, by more than `by`.

    What is measurable is told by the 95 % interval of the difference, which holds the
    spread of seeds on both sides, and the drawing of test patients where both have
    predictions.

    Raises
    ------
    AssertionError
        If it is below; or if it can't be told, for too few seeds or other test data.
    """
    change = _change(measured, committed)
    found = change.scores.get("macro_f1")
    if found is None or found.verdict == "too few seeds":
        raise AssertionError(f"{measured}: macro-F1 can't be judged: {change.verdict}")
    if found.verdict == "worse" and -found.change > by:
        raise AssertionError(
            f"{measured}: macro-F1 fell by {-found.change:.3f} ± {found.reach:.3f}, "
            f"from {found.base:.3f} to {found.head:.3f}; {by:g} is let pass"
        )


def assert_cost_not_above(
    measured: Row, committed: Row, figure: str = "training_flops", by: float = 0.01
) -> None:
    """That a cost didn't rise by more than `by` (a share), as means over seeds.

    Parameters
    ----------
    figure
        `training_flops`, `effective_epochs`, `forward_epochs` or `peak_memory_bytes`.

    Raises
    ------
    AssertionError
        If it rose by more, or isn't measured on both sides.
    """
    before, after = committed.mean(figure), measured.mean(figure)
    if before is None or after is None:
        raise AssertionError(f"{measured}: {figure} isn't measured on both sides")
    if after > before * (1 + by):
        raise AssertionError(
            f"{measured}: {figure} rose from {before:.6g} to {after:.6g}; "
            f"{100 * by:g} % is let pass"
        )


def _change(measured: Row, committed: Row) -> RowChange:
    if measured.key != committed.key:
        raise AssertionError(f"{measured} isn't the row {committed}")
    rows = compare_sides(committed.side, measured.side).rows
    return next(r for r in rows if (r.dataset, r.model, r.strategy) == measured.key)
