"""The columns of a leaderboard table: what each shows and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.report.wording import (
    NOT_MEASURED,
    amount,
    duration,
    engineering,
    escape,
    memory,
    percent,
    ratio,
    score,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]

FOOTNOTE = "†"


@dataclass(frozen=True)
class Column:
    """A heading, what a row shows under it, and its line in the legend."""

    heading: str
    show: Callable[[Row], str]
    meaning: str
    align: str = "right"


def columns_for(task: str | None, class_subsets: list[str]) -> list[Column]:
    """The columns of a table on a data set of that task, left to right."""
    correctness = _MULTI_LABEL if task == "multi-label" else _SINGLE_LABEL
    subsets = [_subset_column(name) for name in class_subsets]
    return [*_RANKING, *correctness, *subsets, *_COSTS]


def _subset_column(name: str) -> Column:
    return Column(
        escape(name),
        lambda row: score(row["class_subsets"].get(name)),
        "mean F1 over the classes of this subset, as the data set declares it",
    )


def _mean(key: str, show: Callable[[float], str]) -> Callable[[Row], str]:
    return lambda row: show(row[key]["mean"]) if row[key] else NOT_MEASURED


def _rank(row: Row) -> str:
    if row["rank"] is None:
        return NOT_MEASURED
    rank = f"≈ {row['rank']}" if row["near_best"] else str(row["rank"])
    return f"{rank} {FOOTNOTE}" if row["footnotes"] else rank


def _name(row: Row) -> str:
    floor = " (floor)" if row["floor"] else ""
    warning = " ⚠" if row["audit"] == "flagged" else ""
    return f"{escape(row['strategy'])}{floor}{warning}"


def _state(row: Row) -> str:
    others = [
        f"{count} {state}"
        for state, count in sorted(row["states"].items())
        if state != "done"
    ]
    return ", ".join([f"{row['done']}/{row['cells']}", *others])


_RANKING = [
    Column(
        "#",
        _rank,
        "rank by the mean of macro-F1 over seeds, once all seeds are done. "
        "It claims no significance: ≈ marks a mean within one spread (the larger of "
        "the two rows') of the first row's. † see the row's footnote first",
    ),
    Column(
        "strategy",
        _name,
        "(floor) uses no network: what a strategy must beat. ⚠ failed the cost audit",
        "left",
    ),
    Column(
        "macro-F1",
        lambda row: score(row["macro_f1"]),
        "mean F1 over all classes of the data set, on the test split",
    ),
]
_SINGLE_LABEL = [
    Column("accuracy", lambda row: score(row["accuracy"]), "share of records right"),
]
_MULTI_LABEL = [
    Column(
        "macro-F1, tuned thresholds",
        lambda row: score(row["macro_f1_tuned"]),
        "as macro-F1, which decides at a probability of 0.5, but each class is decided "
        "at the threshold that maximises its F1 on the validation split; not what rows "
        "are ranked by",
    ),
    Column(
        "exact match",
        lambda row: score(row["exact_match"]),
        "share of records with every label right, at a threshold of 0.5",
    ),
    Column(
        "label accuracy",
        lambda row: score(row["label_accuracy"]),
        "share of all (record, class) decisions right; high where labels are rare",
    ),
]
_COSTS = [
    Column(
        "macro AUROC",
        lambda row: score(row["macro_auroc"]),
        "mean over classes, one against the rest; classes without positives or "
        "negatives in the test split are left out",
    ),
    Column(
        "effective epochs",
        _mean("effective_epochs", amount),
        "samples backpropagated / training samples",
    ),
    Column(
        "forward epochs",
        _mean("forward_epochs", amount),
        "samples sent forward in training for any reason / training samples",
    ),
    Column(
        "compute",
        _mean("relative_compute", ratio),
        "training FLOPs relative to the baseline of the same data set, model and seed",
    ),
    Column(
        "training FLOPs",
        _mean("training_flops", lambda value: engineering(value, "FLOP")),
        "forward and backward, all that was computed to get the weights, in required "
        "cells too; 1 multiply-add = 2 FLOPs",
    ),
    Column(
        "sparsity",
        _mean("sparsity", percent),
        "zero weights / weights, over the tensors that can be pruned",
    ),
    Column(
        "peak memory",
        _mean("peak_memory_bytes", memory),
        "live tensor bytes at the peak of a training step, counted: the same on every "
        "machine",
    ),
    Column(
        "training time",
        _mean("training_seconds", duration),
        "wall clock as measured; not comparable between machines",
    ),
    Column(
        "seeds done",
        _state,
        "finished / planned cells of the row",
        "left",
    ),
]
