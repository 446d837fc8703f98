"""Rows beside their controls, as a markdown table."""

from __future__ import annotations

from typing import Any

from harness.report.blocks import grid
from harness.report.wording import NOT_MEASURED, escape, interval, signed

HEADINGS = ("strategy", "control", "macro-F1, difference", "95 %", "ahead", "verdict")
MEANING = (
    "Macro-F1 of the row minus that of its control, paired by seed: mean ± spread, and "
    "the 95 % interval of the mean, which holds how trainings fall out and which "
    "patients are in the test split. Each holds for one comparison at a time: of "
    "twenty that differ in nothing, one is expected outside."
)


def comparison_blocks(comparisons: list[dict[str, Any]]) -> list[str]:
    """A heading, what is compared, and the table; nothing where there is no control."""
    if not comparisons:
        return []
    left = "strategy", "control", "verdict"
    table = grid(map(_line, comparisons), HEADINGS, left)
    return ["**Beside their controls**", MEANING, table]


def _line(comparison: dict[str, Any]) -> list[str]:
    difference = comparison["difference"]
    names = [escape(comparison["strategy"]), escape(comparison["name"])]
    if difference is None:
        return [*names, *[NOT_MEASURED] * 3, comparison["verdict"]]
    ahead = f"{comparison['ahead']} of {difference['n']}"
    shown = [signed(difference), interval(comparison, "+.3f"), ahead]
    return [*names, *shown, comparison["verdict"]]
