"""Rows against the controls that stand beside them, seed by seed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.report.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.frame import CellResult

FEWEST_SEEDS = 3
VERDICTS = (
    "better",
    "worse",
    "no measurable difference",
    "too few seeds",
    "not measured",
)
# Two-sided 95 % points of Student's t, by degrees of freedom from 1; the last for more.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def compare_with_controls(cells: Sequence[CellResult]) -> list[dict[str, Any]]:
    """Test macro-F1 of rows minus that of their controls, paired by seed.

    Returns
    -------
    list of dict
        `strategy` and `control` (labels of rows), `name` (as what the control stands
        there), `difference` (mean, spread and number of pairs; None where no pair is
        done), `higher` (pairs in which the row is ahead), `reach` (the 95 % interval
        of the mean is mean +- reach; None for one pair) and `verdict`.
    """
    by_id = {c.cell.id: c for c in cells}
    pairs: dict[tuple[str, str, str], list[tuple[CellResult, CellResult]]] = {}
    for cell in cells:
        for control in cell.cell.controls:
            if control.of in by_id:
                row = by_id[control.of]
                key = row.cell.strategy, cell.cell.strategy, control.name
                pairs.setdefault(key, []).append((row, cell))
    return [
        {"strategy": strategy, "control": label, "name": name, **_compared(found)}
        for (strategy, label, name), found in pairs.items()
    ]


def _compared(pairs: Iterable[tuple[CellResult, CellResult]]) -> dict[str, Any]:
    differences = [
        ours - theirs
        for row, control in pairs
        if (ours := _macro_f1(row)) is not None
        and (theirs := _macro_f1(control)) is not None
    ]
    summary = summarise(differences)
    reach = None
    if summary and summary["spread"] is not None:
        n = len(differences)
        t = _T95[min(n - 2, len(_T95) - 1)]
        reach = t * summary["spread"] / math.sqrt(n)
    return {
        "difference": summary,
        "higher": sum(d > 0 for d in differences),
        "reach": reach,
        "verdict": verdict_of(summary, reach),
    }


def _macro_f1(cell: CellResult) -> float | None:
    return cell.result.metrics.test.macro_f1 if cell.result else None


def verdict_of(summary: dict[str, Any] | None, reach: float | None) -> str:
    """Which of `VERDICTS` a difference over pairs deserves, its interval being mean +-
    reach.
    """
    if summary is None:
        return "not measured"
    if reach is None or summary["n"] < FEWEST_SEEDS:
        return "too few seeds"
    if abs(summary["mean"]) <= reach:
        return "no measurable difference"
    return "better" if summary["mean"] > 0 else "worse"
