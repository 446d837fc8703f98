"""Ranks of the same strategies over several tables, as a markdown section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.blocks import grid
from harness.report.wording import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADING = "## Across tables"
MEANING = (
    "Ranks of the strategies that every table below ranks, among each other, and their "
    "mean. Where rows can't be told apart, each takes the middle of the places that it "
    "could take. Tables on the same patients aren't independent."
)


def across_blocks(across: Mapping[str, Any] | None) -> list[str]:
    """The section; nothing where no two tables have two strategies in common."""
    if not across:
        return []
    titles = [
        escape(label if model is None else f"{label} · {model}")
        for label, model in across["tables"]
    ]
    table = grid(
        [
            [
                escape(row["strategy"]),
                f"{row['mean_rank']:.2f}",
                *(f"{rank:g}" for rank in row["ranks"]),
            ]
            for row in across["rows"]
        ],
        ["strategy", "mean rank", *titles],
        ("strategy",),
    )
    return [HEADING, MEANING, table]
