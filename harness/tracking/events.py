"""What a tracker is told: plain data about a suite, its cells and their epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.results.state import State

Plain = bool | int | float | str


@dataclass(frozen=True)
class TrackedSuite:
    """The suite of which a tracker is told.

    Attributes
    ----------
    runs
        The folder of results, by its full name.
    """

    name: str
    title: str
    runs: Path


@dataclass(frozen=True)
class TrackedCell:
    """A cell of which a tracker is told.

    Attributes
    ----------
    id
        Twelve hexadecimal digits.
    sources
        Twelve more, of the source of its plugins: the same cell with other ones is
        another attempt, whose epochs count from 0.
    title
        In one line, for people.
    folder
        Where its files lie, by its full name; below the suite's `runs` it is data set,
        model, strategy, and seed with id.
    dataset, model, strategy
        As the leaderboard calls them; a floor has no model.
    parameters
        All that the suite says of it, by dotted key (`budget.optimizer.lr`); what is
        no number or text as JSON.
    """

    id: str
    sources: str
    title: str
    folder: Path
    dataset: str
    model: str | None
    strategy: str
    seed: int
    parameters: Mapping[str, Plain]


@dataclass(frozen=True)
class TrackedEpoch:
    """An epoch that is over.

    Attributes
    ----------
    number
        From 0, over all fits and rounds of the cell.
    figures
        The numbers of its row by path (`validation/macro_f1`); none that wasn't
        measured.
    row
        Its line of `history.jsonl`.
    """

    number: int
    figures: Mapping[str, float]
    row: Mapping[str, Any]


@dataclass(frozen=True)
class CellOutcome:
    """How a cell has ended.

    Attributes
    ----------
    state
        `done`; `failed`; or `planned`, where it was stopped and can go on.
    message
        Why, where it isn't done.
    epochs
        How many epochs it has had.
    figures
        Of a cell that is done, numbers by path: `test/...`, `cost/...`, `size/...` and
        `seconds/...`; none that wasn't measured.
    result
        Its `result.json`; empty where it isn't done.
    """

    state: State
    message: str
    epochs: int
    figures: Mapping[str, float]
    result: Mapping[str, Any]
