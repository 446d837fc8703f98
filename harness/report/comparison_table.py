"""Rows beside their controls, as a markdown table."""

from __future__ import annotations

from typing import Any

from tabulate import tabulate

from harness.report.wording import NOT_MEASURED, escape, signed

HEADINGS = ("strategy", "control", "macro-F1, difference", "95 %", "ahead", "verdict")
MEANING = (
    "Macro-F1 of the row minus that of its control, paired by seed: mean ± spread. "
    "95 % is the interval of the mean by Student's t over the seeds: it holds the "
    "spread of training, not that of the test records, and holds for one comparison "
    "at a time: of twenty that differ in nothing, one is expected outside."
)


def comparison_blocks(comparisons: list[dict[str, Any]]) -> list[str]:
    """A heading, what is compared, and the table; nothing where there is no control."""
    if not comparisons:
        return []
    grid = tabulate(
        [_line(comparison) for comparison in comparisons],
        headers=HEADINGS,
        tablefmt="pipe",
        colalign=("left", "left", "right", "right", "right", "left"),
        disable_numparse=True,
    )
    return ["**Beside their controls**", MEANING, grid]


def _line(comparison: dict[str, Any]) -> list[str]:
    difference = comparison["difference"]
    names = [escape(comparison["strategy"]), escape(comparison["name"])]
    if difference is None:
        return [*names, *[NOT_MEASURED] * 3, comparison["verdict"]]
    ahead = f"{comparison['higher']} of {difference['n']}"
    shown = [signed(difference), _interval(comparison), ahead]
    return [*names, *shown, comparison["verdict"]]


def _interval(comparison: dict[str, Any]) -> str:
    reach, mean = comparison["reach"], comparison["difference"]["mean"]
    if reach is None:
        return NOT_MEASURED
    return f"{mean - reach:+.3f} to {mean + reach:+.3f}"
