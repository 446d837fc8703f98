"""The rows of a leaderboard in formats for other tools: CSV, JSON and LaTeX."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from tabulate import tabulate

from harness.report.board.board import CELL_FIGURES
from harness.report.render.format import (
    NOT_MEASURED,
    amount,
    difference,
    duration,
    engineering,
    memory,
    percent,
    plain,
    ratio,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.board.board import Board, Row
    from harness.report.board.parts import FigureInterval, Gain, Summary


Format = Literal["csv", "json", "latex"]
PARTS = ("mean", "spread", "n", "low", "high")
BASELINE_PARTS = ("mean", "low", "high")
TO_BASELINE = "to_baseline"
SUBSET = "class_subsets."

_LATEX_HEADINGS = (
    *("data set", "model", "rank", "strategy", "n"),
    *("macro f1, to the baseline", "verdict"),
)
_score = "{:.3f}".format
_SHOWN: Mapping[str, Callable[[float], str]] = {
    "effective_epochs": amount,
    "forward_epochs": amount,
    "training_flops": partial(engineering, unit="FLOP"),
    "relative_compute": ratio,
    "sparsity": percent,
    "sparsity_all": percent,
    "peak_memory_bytes": memory,
    "training_seconds": duration,
}
"""How a figure reads that is no score."""


def formatted_rows(board: Board, form: Format) -> str:
    """Every row of a leaderboard: of each figure mean, spread, count and the ends of
    its 95 % interval; the difference in macro-F1 to the baseline, and its verdict.

    The spread is the sample standard deviation over seeds. What wasn't measured is
    null, an empty field, or a dash.
    """
    rows = list(_rows(board))
    if form == "json":
        return json.dumps(list(map(_as_json, rows)), indent=2, allow_nan=False) + "\n"
    return _csv(rows) if form == "csv" else _latex(rows)


@dataclass(frozen=True)
class _ExportedRow:
    """A row with its place, and each figure with the ends of its interval."""

    suite: str
    dataset: str
    model: str | None
    row: Row
    figures: Mapping[str, Mapping[str, float | None] | None]

    @property
    def gain(self) -> Gain | None:
        """The measured difference in macro-F1 to the baseline."""
        found = self.row.against_baseline
        return found if found and found.difference else None

    @property
    def about(self) -> dict[str, Any]:
        """What it is, and its verdict."""
        row = self.row
        return {
            "suite": self.suite,
            "dataset": self.dataset,
            "model": self.model,
            "rank": row.rank,
            "strategy": row.strategy,
            "floor": row.floor,
            "cells": row.cells,
            "done": row.done,
            "verdict": row.against_baseline.verdict if row.against_baseline else None,
        }


def _rows(board: Board) -> Iterator[_ExportedRow]:
    for dataset in board.datasets:
        for table in dataset.tables:
            for row in table.rows:
                figures = _row_figures(row)
                yield _ExportedRow(
                    board.suite, dataset.label, table.model, row, figures
                )


def _row_figures(row: Row) -> dict[str, Mapping[str, float | None] | None]:
    intervals = row.intervals.figures if row.intervals else {}
    figures: dict[str, Mapping[str, float | None] | None] = {
        key: _parts(row.figure(key), intervals.get(key)) for key in CELL_FIGURES
    }
    for name, found in row.class_subsets.items():
        figures[f"{SUBSET}{name}"] = _parts(found, None)
    return figures


def _parts(
    summary: Summary | None, ends: FigureInterval | None
) -> dict[str, float | None] | None:
    """`PARTS` of a figure."""
    if summary is None:
        return None
    low, high = (ends.low, ends.high) if ends else (None, None)
    values = summary.mean, summary.spread, summary.n, low, high
    return dict(zip(PARTS, values, strict=True))


def _baseline_parts(gain: Gain | None) -> dict[str, float | None] | None:
    """`BASELINE_PARTS` of a difference."""
    if gain is None or gain.difference is None:
        return None
    values = gain.difference.mean, gain.low, gain.high
    return dict(zip(BASELINE_PARTS, values, strict=True))


def _as_json(row: _ExportedRow) -> dict[str, Any]:
    to_baseline = {TO_BASELINE: _baseline_parts(row.gain)}
    return {**row.about, **to_baseline, "figures": dict(row.figures)}


def _figures(rows: Sequence[_ExportedRow]) -> list[str]:
    """The names of all figures that a row may have, in their order."""
    subsets = {key for row in rows for key in row.figures if key not in CELL_FIGURES}
    return [*CELL_FIGURES, *sorted(subsets)]


def _csv(rows: Sequence[_ExportedRow]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    about = (
        *("suite", "dataset", "model", "rank", "strategy", "floor", "cells", "done"),
        "verdict",
    )
    figures = _figures(rows)
    names = [f"{key}_{part}" for key in figures for part in PARTS]
    gains = [f"{TO_BASELINE}_{part}" for part in BASELINE_PARTS]
    writer.writerow([*about, *gains, *map(plain, names)])
    for row in rows:
        summaries = [row.figures.get(key) or {} for key in figures]
        values = [summary.get(part) for summary in summaries for part in PARTS]
        gain = _baseline_parts(row.gain) or {}
        values = [*(gain.get(part) for part in BASELINE_PARTS), *values]
        known = row.about
        writer.writerow([*(_field(known[key]) for key in about), *map(_field, values)])
    return stream.getvalue()


def _field(value: Any) -> Any:
    """A number as it is; text on one printable line."""
    return plain(value) if isinstance(value, str) else value


def _latex(rows: Sequence[_ExportedRow]) -> str:
    """A table for the package booktabs; figures that no row has are left out."""
    figures = [k for k in _figures(rows) if any(row.figures.get(k) for row in rows)]
    headings = [key.removeprefix(SUBSET).replace("_", " ") for key in figures]
    cells = [
        [
            plain(one.dataset),
            NOT_MEASURED if one.model is None else plain(one.model),
            NOT_MEASURED if one.row.rank is None else str(one.row.rank),
            plain(one.row.strategy),
            str(one.row.done),
            difference(one.gain) if one.gain else NOT_MEASURED,
            one.about["verdict"] or NOT_MEASURED,
            *(_spread(key, one.figures.get(key)) for key in figures),
        ]
        for one in rows
    ]
    table: str = tabulate(
        cells,
        headers=[*_LATEX_HEADINGS, *map(plain, headings)],
        # It escapes whatever LaTeX would obey.
        tablefmt="latex_booktabs",
        colalign=(
            "left",
            "left",
            "right",
            "left",
            "right",
            "right",
            "left",
            *("right" for _ in figures),
        ),
        disable_numparse=True,
    )
    return table.replace("±", "$\\pm$") + "\n"


def _spread(key: str, summary: Mapping[str, float | None] | None) -> str:
    if summary is None or summary["mean"] is None:
        return NOT_MEASURED
    show = _SHOWN.get(key, _score)
    mean, spread = show(summary["mean"]), summary["spread"]
    return mean if spread is None else f"{mean} ± {show(spread)}"
