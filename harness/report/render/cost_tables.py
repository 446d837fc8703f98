"""What rows with required cells cost, in full and amortised, as a markdown table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.report.render.blocks import grid
from harness.report.render.format import (
    NOT_MEASURED,
    engineering,
    escape,
    percent,
    plural,
    ratio,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.board.board import Amortised, RequiredOfRow, Row
    from harness.report.board.parts import Summary

HEADINGS = (
    *("strategy", "requires", "shared by", "own", "in full", "amortised"),
    *("compute, in full", "compute, amortised", "of its own: required networks"),
)
MEANING = (
    "Training FLOPs. In full: its own and all of its required cells'. Amortised: its "
    "own, and of each required cell's an equal part for all cells of this suite that "
    "share it. Compute is relative to the baseline. Required networks: the share of a "
    "row's own FLOPs that they take while it is trained, a teacher's forwards for one."
)


def required_blocks(rows: Sequence[Row]) -> list[str]:
    """A heading and the table; nothing where no row has required cells."""
    lines = [
        _line(row, row.required, row.amortised)
        for row in rows
        if row.required and row.amortised
    ]
    if not lines:
        return []
    table = grid(lines, HEADINGS, HEADINGS[:3])
    return ["**What required cells cost**", MEANING, table]


def _line(row: Row, required: RequiredOfRow, amortised: Amortised) -> list[str]:
    return [
        escape(row.strategy),
        escape(", ".join(required.strategies)),
        _cells(amortised.shared_by),
        _mean(amortised.own_training_flops, _flops),
        _mean(row.figure("training_flops"), _flops),
        _mean(amortised.training_flops, _flops),
        _mean(row.figure("relative_compute"), ratio),
        _mean(amortised.relative_compute, ratio),
        _mean(amortised.forward_share, percent),
    ]


def _cells(numbers: list[int]) -> str:
    """The numbers of cells that share a required one: they may need several."""
    *others, last = numbers
    return " or ".join([*map(str, others), plural(last, "cell")])


def _flops(value: float) -> str:
    return engineering(value, "FLOP")


def _mean(summary: Summary | None, show: Callable[[float], str]) -> str:
    return NOT_MEASURED if summary is None else show(summary.mean)
