"""Test records that every seed of a row got wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.metrics import decisions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.report.read import CellResult
    from harness.results.predictions import Predictions


@dataclass(frozen=True)
class Mistake:
    """A record, its true classes, what each seed took it for (every answer once), and
    the mean over seeds of the probability that was given to the truth.
    """

    record: str
    truth: tuple[str, ...]
    predicted: tuple[tuple[str, ...], ...]
    probability: float


@dataclass(frozen=True)
class Mistakes:
    """The worst of them, worst first, and how many there are."""

    worst: Sequence[Mistake]
    total: int
    seeds: int


def shared_mistakes(
    cells: Sequence[CellResult],
    read: Callable[[CellResult], Predictions],
    most: int,
) -> Mistakes | None:
    """Records that all done cells of a row got wrong, the least probable truth first,
    then by id.

    The probability of a truth of several labels is that of its least probable label, or
    absence of one.

    Parameters
    ----------
    read
        Gives the predictions of a done cell; raises OSError or ValueError.

    Returns
    -------
    Mistakes or None
        None where a cell's predictions can't be used, or cells were judged on different
        records.
    """
    done = [cell for cell in cells if cell.result]
    try:
        found = [_judged(cell, read(cell)) for cell in done]
    except (OSError, ValueError):
        return None
    if not found or any(set(one) != set(found[0]) for one in found):
        return None
    wrong = [
        _together(record, [one[record] for one in found])
        for record in found[0]
        if all(one[record].predicted != (one[record].truth,) for one in found)
    ]
    wrong.sort(key=lambda one: (one.probability, one.record))
    return Mistakes(wrong[:most], len(wrong), len(found))


def _judged(cell: CellResult, found: Predictions) -> dict[str, Mistake]:
    assert cell.result is not None
    about = cell.result.dataset
    scores = found.probabilities.astype(np.float64)
    if scores.shape[1] != len(about.classes):
        raise ValueError(f"isn't of {len(about.classes)} classes")
    truth, predicted = decisions(scores, found.labels, about.task)
    if about.task == "single-label":
        sure = scores[truth]
    else:
        sure = np.where(truth, scores, 1 - scores).min(axis=1)
    names = np.array(about.classes)
    return {
        str(record): Mistake(
            str(record), tuple(names[true]), (tuple(names[said]),), float(value)
        )
        for record, true, said, value in zip(
            found.records, truth, predicted, sure, strict=True
        )
    }


def _together(record: str, seeds: Sequence[Mistake]) -> Mistake:
    answers = {answer: None for one in seeds for answer in one.predicted}
    sure = float(np.mean([one.probability for one in seeds]))
    return Mistake(record, seeds[0].truth, tuple(answers), sure)
