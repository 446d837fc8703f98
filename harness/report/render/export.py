"""The rows of a leaderboard in formats for other tools: CSV, JSON and LaTeX."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal

from tabulate import tabulate

from harness.report.board.row import FIGURES
from harness.report.render.format import (
    NOT_MEASURED,
    amount,
    duration,
    engineering,
    interval,
    memory,
    percent,
    plain,
    ratio,
)

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


def formatted_rows(leaderboard: Mapping[str, Any], form: Format) -> str:
    """Every row of a leaderboard: of each figure mean, spread, count and the ends of
    its 95 % interval; the difference in macro-F1 to the baseline, and its verdict.

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
                intervals = row["intervals"]["figures"] if row["intervals"] else {}
                figures = {
                    key: row[key] and {**row[key], **_ends(intervals.get(key))}
                    for key in FIGURES
                }
                figures |= {
                    f"{SUBSET}{name}": summary and {**summary, **_ends(None)}
                    for name, summary in subsets
                }
                yield {
                    "suite": leaderboard["suite"],
                    "dataset": dataset["label"],
                    "model": table["model"],
                    "rank": row["rank"],
                    "strategy": row["strategy"],
                    "floor": row["floor"],
                    "cells": row["cells"],
                    "done": row["done"],
                    **_to_baseline(row["against_baseline"]),
                    "figures": {
                        key: summary and {part: summary[part] for part in PARTS}
                        for key, summary in figures.items()
                    },
                }


def _ends(found: Mapping[str, Any] | None) -> dict[str, float | None]:
    return {end: found[end] if found else None for end in ("low", "high")}


def _to_baseline(found: Mapping[str, Any] | None) -> dict[str, Any]:
    if not found or not found["difference"]:
        return {"verdict": found and found["verdict"], TO_BASELINE: None}
    mean = {"mean": found["difference"]["mean"]}
    return {"verdict": found["verdict"], TO_BASELINE: mean | _ends(found)}


def _figures(rows: list[dict[str, Any]]) -> list[str]:
    """The names of all figures that a row may have, in their order."""
    subsets = {key for row in rows for key in row["figures"] if key not in FIGURES}
    return [*FIGURES, *sorted(subsets)]


def _csv(rows: list[dict[str, Any]]) -> str:
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
        summaries = [row["figures"].get(key) or {} for key in figures]
        values = [summary.get(part) for summary in summaries for part in PARTS]
        gain = row[TO_BASELINE] or {}
        values = [*(gain.get(part) for part in BASELINE_PARTS), *values]
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
            _gain(row[TO_BASELINE]),
            row["verdict"] or NOT_MEASURED,
            *(_spread(key, row["figures"].get(key)) for key in figures),
        ]
        for row in rows
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


def _gain(found: Mapping[str, Any] | None) -> str:
    if not found:
        return NOT_MEASURED
    mean = f"{found['mean']:+.3f}"
    return mean if found["low"] is None else f"{mean} ({interval(found, '+.3f')})"


def _spread(key: str, summary: Mapping[str, Any] | None) -> str:
    if summary is None:
        return NOT_MEASURED
    show = _SHOWN.get(key, _score)
    mean = show(summary["mean"])
    spread = summary["spread"]
    return mean if spread is None else f"{mean} ± {show(spread)}"
