"""Scores of a row class by class, and which class was taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.board.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.board.parts import Summary
    from harness.results.schema import Result


@dataclass(frozen=True)
class ClassScores:
    """A class on the test split: the records that have it (None where seeds differ or
    don't say), and F1, precision and recall over seeds.
    """

    name: str
    support: int | None
    f1: Summary | None
    precision: Summary | None
    recall: Summary | None


def class_scores(results: Sequence[Result]) -> list[ClassScores]:
    """Those of each class, in the order of the data set; empty where no result has
    scores by class.
    """
    tests = [result.metrics.test for result in results]
    found = []
    for name in results[0].dataset.classes if results else []:
        support = {test.support.get(name) for test in tests}
        found.append(
            ClassScores(
                name,
                support.pop() if len(support) == 1 else None,
                f1=summarise(test.f1.get(name) for test in tests),
                precision=summarise(test.precision.get(name) for test in tests),
                recall=summarise(test.recall.get(name) for test in tests),
            )
        )
    return found if any(one.f1 for one in found) else []


def confusion_counts(results: Sequence[Result]) -> list[list[int]] | None:
    """Test records by true class (rows) and predicted class (columns), added up over
    seeds; None where no seed has them for all of its classes.
    """
    total: list[list[int]] | None = None
    for result in results:
        counts, size = result.metrics.test.confusion, len(result.dataset.classes)
        if not counts or [len(row) for row in counts] != [size] * size:
            continue
        if total is None:
            total = [[0] * size for _ in range(size)]
        if len(total) != size:
            return None
        for row, more in zip(total, counts, strict=True):
            row[:] = [a + b for a, b in zip(row, more, strict=True)]
    return total
