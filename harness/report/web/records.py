"""Records that a row got wrong, on ECG paper."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.board.misclassified import Mistake, Mistakes, shared_mistakes
from harness.report.render.format import plain, plural

if TYPE_CHECKING:
    from harness.report.board.board import DatasetTables, Row
    from harness.report.read import CellResult
    from harness.results.predictions import Predictions

NO_LABEL = "no label"


@dataclass(frozen=True)
class Recordings:
    """Where records that were got wrong come from, and how many are shown.

    Attributes
    ----------
    predictions
        Of a done cell; raises OSError or ValueError.
    draw
        A PNG file of a record on ECG paper, by what the leaderboard says of its data
        set and by its id; None where it can't be drawn.
    """

    predictions: Callable[[CellResult], Predictions]
    draw: Callable[[DatasetTables, str], bytes | None]
    most: int


@dataclass(frozen=True)
class RecordPart:
    """A record: what is said of it, and its picture as base64, where there is one."""

    text: str
    picture: str | None


@dataclass(frozen=True)
class RecordsPart:
    """Which records are shown, by which rule, and each of them."""

    strategy: str
    rule: str
    records: Sequence[RecordPart]


def records_part(
    dataset: DatasetTables,
    rows: Sequence[Row],
    cells: Mapping[str, CellResult],
    recordings: Recordings | None,
) -> RecordsPart | None:
    """Those that every seed of a table's best row got wrong; None where that can't be
    said, or isn't asked for.
    """
    if recordings is None:
        return None
    best = next((r for r in rows if r.rank is not None and not r.floor), None)
    if best is None:
        return None
    members = [cells[seed.cell] for seed in best.seeds]
    found = shared_mistakes(members, recordings.predictions, recordings.most)
    if found is None:
        return None
    draw = recordings.draw
    shown = [
        RecordPart(_tell(one), _encoded(draw(dataset, one.record)))
        for one in found.worst
    ]
    strategy = plain(best.strategy)
    return RecordsPart(strategy, _rule(strategy, found), shown)


def _rule(strategy: str, found: Mistakes) -> str:
    every = "The one seed" if found.seeds == 1 else f"All {found.seeds} seeds"
    return (
        f"{every} of {strategy}, the table's first row, got "
        f"{plural(found.total, 'test record')} wrong. Shown are the "
        f"{len(found.worst)} of which the truth was given the least probability, "
        f"as whole recordings, filtered and resampled as for training."
    )


def _tell(one: Mistake) -> str:
    taken = " or ".join(_labels(answer) for answer in one.predicted)
    return (
        f"{plain(one.record)}: {_labels(one.truth)}, taken for {taken}; probability of "
        f"the truth {one.probability:.3f}"
    )


def _labels(names: Sequence[str]) -> str:
    return " and ".join(map(plain, names)) or NO_LABEL


def _encoded(png: bytes | None) -> str | None:
    return None if png is None else base64.b64encode(png).decode("ascii")
