"""Commands that are killed at chosen moments, and a watch on what they leave."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suites_to_run import Command, kill_everything, start

POLL_SECONDS = 0.002

LATE = (
    "runs/*/*/*/*/predictions.npz",
    "runs/*/*/*/*/model.safetensors",
    "runs/*/*/*/*/.result.json.*",
    "runs/*/*/*/*/result.json",
    "runs/*/*/*/*/.released-*",
    "leaderboard/.*",
    "leaderboard/small.json",
)
"""What appears while a cell, or the suite, is brought to its end."""

FINAL = ("result.json", "predictions.npz", "model.safetensors", "cell.json")
"""Files of a cell that an unbroken run and a resumed one must have in common."""


@dataclass
class Moment:
    """When to kill: after some seconds, or right when files have been written.

    Parameters
    ----------
    seconds
        Since the start.
    files
        How many files have been written since then.
    stage
        Pattern of the file that is waited for.
    lag
        Seconds to let pass when it has come.
    """

    folder: Path
    seconds: float | None = None
    files: int = 1
    stage: str = "*/**/*"
    lag: float = 0.0

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._before = self._there()
        self._written: set[tuple[Path, int, int]] = set()

    def _there(self) -> set[tuple[Path, int, int]]:
        return set(_stamps(self.folder, self.stage)) if self.seconds is None else set()

    def has_come(self) -> bool:
        """Whether it's now."""
        if self.seconds is not None:
            return time.monotonic() - self._began > self.seconds
        self._written |= self._there() - self._before
        if len(self._written) < self.files:
            return False
        time.sleep(self.lag)
        return True

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"after {self.seconds:.3f} s"
        what = f"{self.files} files" if self.files > 1 else self.stage
        return f"{self.lag} s after {what}"


@dataclass
class Sufferer:
    """A folder in which one suite is run again and again, and killed each time.

    Attributes
    ----------
    endings
        Every `result.json` that was ever seen, by cell: one for each time that a cell
        ran to its end. Looks are milliseconds apart, and a cell takes seconds.
    """

    folder: Path
    suite: Path
    chance: random.Random
    endings: dict[str, set[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def run_and_kill(self, longest: float) -> str | None:
        """Start a run, and kill it at a random moment of at most `longest` seconds.

        Returns the moment in words, or None if the command ended before it came.
        """
        moment = self._moment(longest)
        workers = str(self.chance.choice((1, 2)))
        command = start("run", str(self.suite), "--workers", workers, cwd=self.folder)
        while command.poll() is None:
            if moment.has_come():
                kill_everything(command)
                self.look()
                return str(moment)
            self.look()
            time.sleep(POLL_SECONDS)
        self._check_end(command)
        return None

    def _moment(self, longest: float) -> Moment:
        """Some time; or as soon as so many files are written; or at a late stage."""
        kind = self.chance.random()
        if kind < 0.4:
            return Moment(self.folder, seconds=self.chance.uniform(0, longest))
        lag = self.chance.choice((0.0, 0.0, 0.003, 0.02))
        if kind < 0.8:
            return Moment(self.folder, files=self.chance.randint(1, 40), lag=lag)
        return Moment(self.folder, stage=self.chance.choice(LATE), lag=lag)

    def run_to_the_end(self) -> None:
        """Let the same command finish."""
        command = start("run", str(self.suite), "-q", cwd=self.folder)
        while command.poll() is None:
            self.look()
            time.sleep(POLL_SECONDS)
        self._check_end(command)

    def _check_end(self, command: Command) -> None:
        output, _ = command.communicate(timeout=60)
        assert command.returncode == 0, output
        self.look()

    def look(self) -> None:
        """Note the results that are there; none may have gone."""
        there = set()
        for path, inode, written in _stamps(self.folder, "runs/*/*/*/*/result.json"):
            cell = path.parent.relative_to(self.folder / "runs").as_posix()
            self.endings[cell].add((inode, written))
            there.add(cell)
        assert there == set(self.endings), "a result was lost"


def _stamps(folder: Path, pattern: str) -> Iterator[tuple[Path, int, int]]:
    for path in folder.glob(pattern):
        try:
            status = path.stat()
        except OSError:
            continue
        yield path, status.st_ino, status.st_mtime_ns


def final_files(runs: Path) -> dict[str, bytes]:
    """What every finished cell leaves and does not depend on when it ran."""
    return {
        path.relative_to(runs).as_posix(): path.read_bytes()
        for name in FINAL
        for path in runs.rglob(name)
    }


def differences(runs: Path, others: Path) -> list[str]:
    """The final files that aren't in both folders, or not the same in both."""
    here, there = final_files(runs), final_files(others)
    return [n for n in sorted({*here, *there}) if here.get(n) != there.get(n)]


def litter(runs: Path) -> list[str]:
    """What only a cell that is under way may have in its folder."""
    names = ("claim-*", "heartbeat-*", "*.tmp", "checkpoint*", "attempts", "failure*")
    return [
        path.relative_to(runs).as_posix()
        for name in names
        for path in runs.glob(f"*/*/*/*/**/{name}")
    ]


# --- leaderboards, without what a clock measured ---------------------------------

TIMES = ("training_seconds", "latency_seconds")
TIME_COLUMNS = ("training time", "latency")


def board_without_times(leaderboard: Path) -> tuple[Any, list[list[str]]]:
    """The JSON value and the page's lines; measured times, and only these, blanked."""
    data = _blanked(json.loads((leaderboard / "small.json").read_text()))
    return data, _page(leaderboard / "small.md")


def _blanked(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "-" if k in TIMES else _blanked(v) for k, v in value.items()}
    return [_blanked(item) for item in value] if isinstance(value, list) else value


def _page(path: Path) -> list[list[str]]:
    """Lines as lists of cells; of a line outside of tables the line alone."""
    lines: list[list[str]] = []
    times: set[int] | None = None
    for line in path.read_text().splitlines():
        if not line.startswith("|"):
            lines.append([line])
            times = None
            continue
        row = [entry.strip() for entry in line.strip("|").split("|")]
        if times is None:
            times = {i for i, name in enumerate(row) if name in TIME_COLUMNS}
        # The line below the headings is as wide as the widest entry.
        ruled = [":" if set(entry) <= {":", "-"} else entry for entry in row]
        kept = [entry for i, entry in enumerate(ruled) if i not in times]
        lines.append(kept)
    return lines
