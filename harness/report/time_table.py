"""How soon rows scored as the baseline does, as a markdown table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.blocks import grid
from harness.report.wording import NOT_MEASURED, amount, escape, plural, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HEADINGS = ("strategy", "reached", "effective epochs", "compute")
MEANING = (
    "When a row's validation macro-F1 first reached the baseline's best of the same "
    "seed: effective epochs of its own training, and all training FLOPs so far, those "
    "of required cells too, relative to the baseline's up to there. Means over the "
    "seeds that got there."
)


def time_blocks(rows: Sequence[Mapping[str, Any]], baseline: str | None) -> list[str]:
    """A heading and the table; nothing where no row can be compared with a baseline."""
    timed = [row for row in rows if row["time_to_target"]]
    if all(row["strategy"] == baseline for row in timed):
        return []
    table = grid(map(_line, timed), HEADINGS, ("strategy", "reached"))
    return ["**Time to the baseline's score**", MEANING, table]


def _line(row: Mapping[str, Any]) -> list[str]:
    time = row["time_to_target"]
    seeds = plural(time["seeds"], "seed")
    reached = f"{time['reached']} of {seeds}" if time["reached"] else f"never ({seeds})"
    warning = " ⚠" if row["audit"] == "flagged" else ""
    return [
        f"{escape(row['strategy'])}{warning}",
        reached,
        _mean(time["effective_epochs"], amount),
        _mean(time["relative_compute"], ratio),
    ]


def _mean(summary: Mapping[str, Any] | None, show: Callable[[float], str]) -> str:
    return NOT_MEASURED if summary is None else show(summary["mean"])
