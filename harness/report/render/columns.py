"""The columns of a leaderboard table: what each shows and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.render.format import (
    NOT_MEASURED,
    amount,
    difference,
    duration,
    engineering,
    interval,
    mean_of,
    memory,
    percent,
    plain,
    ratio,
    score,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.report.board.board import Row
    from harness.report.board.parts import Summary

FOOTNOTE = "†"
RANK, STRATEGY = "#", "strategy"
"""Headings."""


@dataclass(frozen=True)
class Column:
    """A heading, what a row shows under it, what it is sorted by there (None: not
    measured), and its line in the legend; all plain text.
    """

    heading: str
    show: Callable[[Row], str]
    value: Callable[[Row], float | str | None]
    meaning: str
    align: str = "right"
    aside: bool = False
    """Whether it stands in a table of its own where there is little room."""


def columns_for(task: str | None, class_subsets: list[str]) -> list[Column]:
    """The columns of a table on a data set of that task, left to right."""
    correctness = _MULTI_LABEL if task == "multi-label" else _SINGLE_LABEL
    subsets = [_subset_column(name) for name in class_subsets]
    columns = [*_RANKING, *correctness, *subsets, *_COSTS, *_PROBABILITIES]
    return sorted(columns, key=lambda column: column.aside)


def _subset_column(name: str) -> Column:
    return Column(
        plain(name),
        lambda row: score(row.class_subsets.get(name)),
        lambda row: _mean_of(row.class_subsets.get(name)),
        "mean F1 over the classes of this subset, as the data set declares it",
    )


def _scored(heading: str, key: str, meaning: str, *, aside: bool = False) -> Column:
    return Column(
        heading,
        lambda row: _with_interval(row, key) if aside else score(row.figure(key)),
        lambda row: _mean_of(row.figure(key)),
        meaning,
        aside=aside,
    )


def _with_interval(row: Row, key: str) -> str:
    figures = row.intervals.figures if row.intervals else {}
    shown = score(row.figure(key))
    known = row.figure(key) and key in figures and figures[key].low is not None
    return f"{shown} ({interval(figures[key])})" if known else shown


def _interval(row: Row) -> str:
    found = row.intervals
    if not found:
        return NOT_MEASURED
    return interval(found.figures["macro_f1"], holds=found.holds)


def _low(row: Row) -> float | None:
    found = row.intervals
    return found.figures["macro_f1"].low if found else None


def _to_baseline(row: Row) -> str:
    found = row.against_baseline
    return difference(found) if found else NOT_MEASURED


def _verdict(row: Row) -> str:
    found = row.against_baseline
    return str(found.verdict) if found else NOT_MEASURED


def _mean(heading: str, key: str, show: Callable[[float], str], meaning: str) -> Column:
    return Column(
        heading,
        lambda row: mean_of(row.figure(key), show),
        lambda row: _mean_of(row.figure(key)),
        meaning,
    )


def _mean_of(summary: Summary | None) -> float | None:
    return None if summary is None else float(summary.mean)


def _rank(row: Row) -> str:
    if row.rank is None:
        return NOT_MEASURED
    return f"{row.rank} {FOOTNOTE}" if row.footnotes else str(row.rank)


def _name(row: Row) -> str:
    floor = " (floor)" if row.floor else ""
    warning = " ⚠" if row.audit == "flagged" else ""
    return f"{plain(row.strategy)}{floor}{warning}"


def _state(row: Row) -> str:
    others = [
        f"{count} {state}"
        for state, count in sorted(row.states.items())
        if state != "done"
    ]
    return ", ".join([f"{row.done}/{row.cells}", *others])


_RANKING = [
    Column(
        RANK,
        _rank,
        lambda row: row.rank,
        "1 + the number of rows that are measurably better, once all seeds are done, "
        "but none above a row of a higher mean: rows that can't be told apart share a "
        "rank. † see the row's footnote first",
    ),
    Column(
        STRATEGY,
        _name,
        lambda row: plain(row.strategy),
        "(floor) uses no network: what a strategy must beat. ⚠ failed the cost audit",
        "left",
    ),
    _scored(
        "macro-F1",
        "macro_f1",
        "mean F1 over all classes of the data set, on the test split",
    ),
    Column(
        "95 %",
        _interval,
        _low,
        "interval of the mean of macro-F1. It holds how trainings fall out and which "
        "patients are in the test split (‡ the former alone)",
    ),
    Column(
        "to the baseline",
        _to_baseline,
        lambda row: (
            _mean_of(found.difference) if (found := row.against_baseline) else None
        ),
        "macro-F1 minus that of the baseline, paired by seed, with its 95 % interval",
    ),
    Column(
        "verdict",
        _verdict,
        lambda row: found.verdict if (found := row.against_baseline) else None,
        "on the difference to the baseline: better and worse need three seeds, thirty "
        "test patients and an interval without 0. Too few records: fewer patients, or "
        "nothing was found where so few patients couldn't have shown 0.1",
        "left",
    ),
]
_SINGLE_LABEL = [_scored("accuracy", "accuracy", "share of records right")]
_MULTI_LABEL = [
    _scored(
        "macro-F1, tuned thresholds",
        "macro_f1_tuned",
        "as macro-F1, which decides at a probability of 0.5, but each class is decided "
        "at the threshold that maximises its F1 on the validation split; not what rows "
        "are ranked by",
        aside=True,
    ),
    _scored(
        "exact match",
        "exact_match",
        "share of records with every label right, at a threshold of 0.5",
        aside=True,
    ),
    _scored(
        "label accuracy",
        "label_accuracy",
        "share of all (record, class) decisions right; high where labels are rare",
        aside=True,
    ),
]
_PROBABILITIES = [
    _scored(
        "macro AUROC",
        "macro_auroc",
        "mean over classes, one against the rest; classes without positives or "
        "negatives in the test split are left out",
        aside=True,
    ),
    _scored(
        "mean average precision",
        "mean_average_precision",
        "mean over the classes that the test split has; low where a class is rare",
        aside=True,
    ),
    _scored(
        "calibration error",
        "calibration_error",
        "how far probabilities are from how often they come true: the mean over 15 "
        "bins; lower is better",
        aside=True,
    ),
]
_COSTS = [
    _mean(
        "effective epochs",
        "effective_epochs",
        amount,
        "samples backpropagated / training samples",
    ),
    _mean(
        "forward epochs",
        "forward_epochs",
        amount,
        "samples sent forward in training for any reason / training samples",
    ),
    _mean(
        "compute",
        "relative_compute",
        ratio,
        "training FLOPs relative to the baseline of the same data set, model and seed",
    ),
    _mean(
        "training FLOPs",
        "training_flops",
        lambda value: engineering(value, "FLOP"),
        "forward and backward, all that was computed to get the weights, in required "
        "cells too; 1 multiply-add = 2 FLOPs",
    ),
    _mean(
        "sparsity",
        "sparsity",
        percent,
        "zero weights / weights, over the tensors that can be pruned",
    ),
    _mean(
        "peak memory",
        "peak_memory_bytes",
        memory,
        "live tensor bytes at the peak of a training step, counted: the same on every "
        "machine",
    ),
    _mean(
        "training time",
        "training_seconds",
        duration,
        "wall clock as measured; not comparable between machines",
    ),
    Column(
        "seeds done",
        _state,
        lambda row: row.done,
        "finished / planned cells of the row",
        "left",
    ),
]
