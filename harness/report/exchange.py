"""The rows of a leaderboard in formats for other tools: CSV, JSON and LaTeX."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal

from tabulate import tabulate

from harness.report.row import FIGURES
from harness.report.wording import (
    NOT_MEASURED,
    amount,
    duration,
    engineering,
    memory,
    percent,
    plain,
    ratio,
)

Format = Literal["csv", "json", "latex"]
PARTS = ("mean", "spread", "n")
SUBSET = "class_subsets."

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


def formatted_rows(leaderboard: Mapping[str, Any], form: Format) -> str:
    """Every row of a leaderboard, with mean, spread and count of each figure.

    The spread is the sample standard deviation over seeds. What wasn't measured is
    null, an empty field, or a dash.
    """
    rows = list(_rows(leaderboard))
    if form == "json":
        return json.dumps(rows, indent=2, allow_nan=False) + "\n"
    return _csv(rows) if form == "csv" else _latex(rows)


def _rows(leaderboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for dataset in leaderboard["datasets"]:
        for table in dataset["tables"]:
            for row in table["rows"]:
                subsets = row["class_subsets"].items()
                figures = {key: row[key] for key in FIGURES}
                figures |= {f"{SUBSET}{name}": summary for name, summary in subsets}
                yield {
                    "suite": leaderboard["suite"],
                    "dataset": dataset["label"],
                    "model": table["model"],
                    "rank": row["rank"],
                    "strategy": row["strategy"],
                    "floor": row["floor"],
                    "cells": row["cells"],
                    "done": row["done"],
                    "figures": {
                        key: summary and {part: summary[part] for part in PARTS}
                        for key, summary in figures.items()
                    },
                }


def _figures(rows: list[dict[str, Any]]) -> list[str]:
    """The names of all figures that a row may have, in their order."""
    subsets = {key for row in rows for key in row["figures"] if key not in FIGURES}
    return [*FIGURES, *sorted(subsets)]


def _csv(rows: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    about = ("suite", "dataset", "model", "rank", "strategy", "floor", "cells", "done")
    figures = _figures(rows)
    names = [f"{key}_{part}" for key in figures for part in PARTS]
    writer.writerow([*about, *map(plain, names)])
    for row in rows:
        summaries = [row["figures"].get(key) or {} for key in figures]
        values = [summary.get(part) for summary in summaries for part in PARTS]
        writer.writerow([*(_field(row[key]) for key in about), *map(_field, values)])
    return stream.getvalue()


def _field(value: Any) -> Any:
    """A number as it is; text on one printable line."""
    return plain(value) if isinstance(value, str) else value


def _latex(rows: list[dict[str, Any]]) -> str:
    """A table for the package booktabs; figures that no row has are left out."""
    figures = [k for k in _figures(rows) if any(row["figures"].get(k) for row in rows)]
    headings = [key.removeprefix(SUBSET).replace("_", " ") for key in figures]
    cells = [
        [
            plain(row["dataset"]),
            NOT_MEASURED if row["model"] is None else plain(row["model"]),
            NOT_MEASURED if row["rank"] is None else str(row["rank"]),
            plain(row["strategy"]),
            str(row["done"]),
            *(_spread(key, row["figures"].get(key)) for key in figures),
        ]
        for row in rows
    ]
    table: str = tabulate(
        cells,
        headers=["data set", "model", "rank", "strategy", "n", *map(plain, headings)],
        # It escapes whatever LaTeX would obey.
        tablefmt="latex_booktabs",
        colalign=(
            "left",
            "left",
            "right",
            "left",
            "right",
            *("right" for _ in figures),
        ),
        disable_numparse=True,
    )
    return table.replace("±", "$\\pm$") + "\n"


def _spread(key: str, summary: Mapping[str, Any] | None) -> str:
    if summary is None:
        return NOT_MEASURED
    show = _SHOWN.get(key, _score)
    mean = show(summary["mean"])
    spread = summary["spread"]
    return mean if spread is None else f"{mean} ± {show(spread)}"
