"""Scores of a row class by class, and which class was taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.board.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.results.schema import Result

FIGURES = ("f1", "precision", "recall")


def class_scores(results: Sequence[Result]) -> list[dict[str, Any]]:
    """F1, precision and recall of each class on the test split, over seeds.

    Returns
    -------
    list of dict
        In the order of the data set's classes: `name`; `support`, the records that have
        it (None where seeds differ or don't say); and `FIGURES`, each as `summarise`
        gives it. Empty where no result has scores by class.
    """
    tests = [result.metrics.test for result in results]
    names = results[0].dataset.classes if results else []
    found = []
    for name in names:
        figures = {
            key: summarise(getattr(test, key).get(name) for test in tests)
            for key in FIGURES
        }
        support = {test.support.get(name) for test in tests}
        whole = support.pop() if len(support) == 1 else None
        found.append({"name": name, "support": whole, **figures})
    return found if any(one["f1"] for one in found) else []


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
