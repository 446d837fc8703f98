"""The tables below a table of rows: ranks, controls, fronts, times, uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.render.blocks import folded, grid
from harness.report.render.format import (
    NOT_MEASURED,
    amount,
    escape,
    interval,
    plural,
    ratio,
    signed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.report.board.board import Across, Row
    from harness.report.board.parts import ControlComparison, Summary, TimeToTarget


MEAN_RANKS = "## Across tables"
ABOUT_MEAN_RANKS = (
    "Ranks of the strategies that every table below ranks, among each other, and their "
    "mean. Where rows can't be told apart, each takes the middle of the places that it "
    "could take. Tables on the same patients aren't independent."
)


def across_blocks(across: Across | None) -> list[str]:
    """The section; nothing where no two tables have two strategies in common."""
    if not across:
        return []
    titles = [
        escape(label if model is None else f"{label} · {model}")
        for label, model in across.tables
    ]
    table = grid(
        [
            [
                escape(row.strategy),
                f"{row.mean_rank:.2f}",
                *(f"{rank:g}" for rank in row.ranks),
            ]
            for row in across.rows
        ],
        ["strategy", "mean rank", *titles],
        ("strategy",),
    )
    return [MEAN_RANKS, ABOUT_MEAN_RANKS, table]


_CONTROLS = ("strategy", "control", "macro-F1, difference", "95 %", "ahead", "verdict")
ABOUT_CONTROLS = (
    "Macro-F1 of the row minus that of its control, paired by seed: mean ± spread, and "
    "the 95 % interval of the mean, which holds how trainings fall out and which "
    "patients are in the test split. Each holds for one comparison at a time: of "
    "twenty that differ in nothing, one is expected outside."
)


def comparison_blocks(comparisons: Sequence[ControlComparison]) -> list[str]:
    """A heading, what is compared, and the table; nothing where there is no control."""
    if not comparisons:
        return []
    left = "strategy", "control", "verdict"
    table = grid(map(_control_line, comparisons), _CONTROLS, left)
    return ["**Beside their controls**", ABOUT_CONTROLS, table]


def _control_line(comparison: ControlComparison) -> list[str]:
    difference = comparison.difference
    names = [escape(comparison.strategy), escape(comparison.name)]
    if difference is None:
        return [*names, *[NOT_MEASURED] * 3, comparison.verdict]
    ahead = f"{comparison.ahead} of {difference.n}"
    shown = [signed(difference), interval(comparison, "+.3f"), ahead]
    return [*names, *shown, comparison.verdict]


NAMES = {
    "relative_compute": "compute",
    "peak_memory_bytes": "peak memory",
    "sparsity": "sparsity (more is better)",
    "latency_seconds": "latency (as timed)",
}
ABOUT_FRONTS = (
    "**On the front**, the best by the cost first: no other row's mean macro-F1 is as "
    "high or higher at as much of the cost or less. As any lead, that may be chance."
)


def front_blocks(fronts: Mapping[str, Any]) -> list[str]:
    """Who is on each front; nothing of costs that don't tell rows apart.

    Parameters
    ----------
    fronts
        As `harness.report.board.pareto.describe_fronts` gives them.
    """
    lines = [
        f"- {name}: {escape('; '.join(fronts[cost].rows))} "
        f"({len(fronts[cost].rows)} of {plural(len(fronts[cost].of), 'row')})"
        for cost, name in NAMES.items()
        if fronts[cost].differs
    ]
    return [ABOUT_FRONTS, "\n".join(lines)] if lines else []


_TIMES = ("strategy", "reached", "effective epochs", "compute")
ABOUT_TIME_TO_TARGET = (
    "When a row's validation macro-F1 first reached the baseline's best of the same "
    "seed: effective epochs of its own training, and all training FLOPs so far, those "
    "of required cells too, relative to the baseline's up to there. Means over the "
    "seeds that got there."
)


def time_blocks(rows: Sequence[Row], baseline: str | None) -> list[str]:
    """A heading and the table; nothing where no row can be compared with a baseline."""
    timed = [(row, row.time_to_target) for row in rows if row.time_to_target]
    if all(row.strategy == baseline for row, _ in timed):
        return []
    lines = [_time_line(row, time) for row, time in timed]
    table = grid(lines, _TIMES, ("strategy", "reached"))
    return ["**Time to the baseline's score**", ABOUT_TIME_TO_TARGET, table]


def _time_line(row: Row, time: TimeToTarget) -> list[str]:
    seeds = plural(time.seeds, "seed")
    reached = f"{time.reached} of {seeds}" if time.reached else f"never ({seeds})"
    warning = " ⚠" if row.audit == "flagged" else ""
    return [
        f"{escape(row.strategy)}{warning}",
        reached,
        _mean(time.effective_epochs, amount),
        _mean(time.relative_compute, ratio),
    ]


def _mean(summary: Summary | None, show: Callable[[float], str]) -> str:
    return NOT_MEASURED if summary is None else show(summary.mean)


SOURCES = "Where the uncertainty comes from"
ABOUT_SOURCES = (
    "Spread over seeds: the sample standard deviation of macro-F1 from training to "
    "training. Patients: the standard error of the mean that comes from which patients "
    "are in the test split, the trainings being the same. Could show: the smallest "
    "difference to the baseline that so many patients could show in 80 % of studies at "
    "a level of 5 %, were the trainings no source of chance."
)
_SOURCES = ("strategy", "spread over seeds", "patients", "could show")


def sureness_blocks(rows: Sequence[Row]) -> list[str]:
    """The table, where test records are known; else nothing."""
    shown = [row for row in rows if _error(row) is not None]
    if not shown:
        return []
    return folded(
        SOURCES, ABOUT_SOURCES, grid(map(_source_line, shown), _SOURCES, ("strategy",))
    )


def _error(row: Row) -> float | None:
    found = row.intervals
    return found.figures["macro_f1"].patients_error if found else None


def _source_line(row: Row) -> list[str]:
    against = row.against_baseline
    return [
        escape(row.strategy),
        _number(score.spread if (score := row.figure("macro_f1")) else None),
        _number(_error(row)),
        _number(against.smallest_shown if against else None),
    ]


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.3f}"
