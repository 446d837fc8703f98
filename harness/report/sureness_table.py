"""Where the uncertainty of macro-F1 comes from, as a markdown table that folds away."""

from __future__ import annotations

from typing import Any

from harness.report.blocks import folded, grid
from harness.report.wording import NOT_MEASURED, escape

TITLE = "Where the uncertainty comes from"
MEANING = (
    "Spread over seeds: the sample standard deviation of macro-F1 from training to "
    "training. Patients: the standard error of the mean that comes from which patients "
    "are in the test split, the trainings being the same. Could show: the smallest "
    "difference to the baseline that so many patients could show in 80 % of studies at "
    "a level of 5 %, were the trainings no source of chance."
)
_HEADINGS = ("strategy", "spread over seeds", "patients", "could show")


def sureness_blocks(rows: list[dict[str, Any]]) -> list[str]:
    """The table, where test records are known; else nothing."""
    shown = [row for row in rows if _error(row) is not None]
    if not shown:
        return []
    return folded(TITLE, MEANING, grid(map(_line, shown), _HEADINGS, ("strategy",)))


def _error(row: dict[str, Any]) -> float | None:
    found = row["intervals"]
    return found["figures"]["macro_f1"]["patients_error"] if found else None


def _line(row: dict[str, Any]) -> list[str]:
    against = row["against_baseline"]
    return [
        escape(row["strategy"]),
        _number(row["macro_f1"]["spread"]),
        _number(_error(row)),
        _number(against["smallest_shown"] if against else None),
    ]


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.3f}"
