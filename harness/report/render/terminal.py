"""A leaderboard on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.report.render.columns import FOOTNOTE, Column, columns_for
from harness.report.render.format import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.board.board import Board, Row


_SHOWN = (
    *("#", "macro-F1", "verdict", "effective epochs", "compute", "training time"),
    "seeds done",
)


def summary_lines(leaderboard: Board) -> list[str]:
    """A plain table for each data set and model: rank, quality, cost, state."""
    columns = [c for c in columns_for(None, []) if c.heading in _SHOWN]
    lines = []
    for dataset in leaderboard.datasets:
        for table in dataset.tables:
            lines += [_heading(dataset.label, table.model)]
            lines += [*_grid(table.rows, columns), *_footnotes(table.rows), ""]
    return lines[:-1]


def _heading(dataset: str, model: str | None) -> str:
    return plain(dataset if model is None else f"{dataset} · {model}")


def _name(row: Row) -> str:
    return plain(row.strategy) + (" (floor)" if row.floor else "")


def _footnotes(rows: Sequence[Row]) -> list[str]:
    return [
        f"{FOOTNOTE} {_name(row)}: {plain(text)}"
        for row in rows
        for text in row.footnotes
    ]


def _grid(rows: Sequence[Row], columns: list[Column]) -> list[str]:
    rank, *others = columns
    cells = [
        [rank.show(row), _name(row), *(c.show(row) for c in others)] for row in rows
    ]
    return tabulate(
        cells,
        headers=[rank.heading, "strategy", *(c.heading for c in others)],
        tablefmt="simple",
        colalign=[rank.align, "left", *(c.align for c in others)],
        disable_numparse=True,
    ).splitlines()
