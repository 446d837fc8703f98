"""What the plots of one table are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.board.pareto import COMPUTE
from harness.report.plots.palette import (
    BLUE,
    DARK,
    GREEN,
    OLIVE,
    ORANGE,
    PINK,
    RED,
    SKY,
    label_of,
)
from harness.results.schema import EpochRow

if TYPE_CHECKING:
    from harness.report.board.board import CellOfRow, DatasetTables, Row, Table

    History = list[EpochRow]

_COLOURS = (BLUE, ORANGE, GREEN, RED, PINK, SKY, OLIVE)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Towards black or white, and how far: of the first, second and third seven rows.
_SHADES = ((0, 0.0), (0, 0.4), (255, 0.45))


@dataclass(frozen=True)
class RowData:
    """A row of a leaderboard's table, and how it is drawn: the same in all plots.

    Attributes
    ----------
    row
        What the table says of it.
    seeds
        Each done cell of `row.seeds`, with its epochs.
    """

    label: str
    colour: str
    marker: str
    row: Row
    seeds: Sequence[tuple[CellOfRow, Sequence[EpochRow]]]

    @property
    def place(self) -> tuple[float, float]:
        """Means of its compute and its test macro-F1, where both were measured."""
        compute, score = (
            self.row.figure("relative_compute"),
            self.row.figure("macro_f1"),
        )
        assert compute is not None
        assert score is not None
        return compute.mean, score.mean

    @property
    def spread(self) -> float:
        """Of test macro-F1 over seeds; 0 for one."""
        score = self.row.figure("macro_f1")
        return (score.spread or 0.0) if score else 0.0

    @property
    def histories(self) -> list[Sequence[EpochRow]]:
        """The epochs of each cell that has a history."""
        return [history for _, history in self.seeds if history]


@dataclass(frozen=True)
class TableData:
    """A data set and a model: its classes, and its rows but for floors, in the order of
    the table.

    Attributes
    ----------
    compared
        Strategies that take part in the front of macro-F1 against compute.
    front
        Those of them that are on it.
    """

    title: str
    classes: Sequence[str]
    rows: Sequence[RowData]
    baseline: RowData | None
    compared: Sequence[str] = ()
    front: Sequence[str] = ()


def table_data(
    dataset: DatasetTables,
    table: Table,
    history: Callable[[str], History],
) -> TableData:
    """What there is to draw of a leaderboard's table.

    Parameters
    ----------
    dataset, table
        Of `build_leaderboard`.
    history
        Gives the epochs of a cell, by its id.
    """
    shown = [row for row in table.rows if not row.floor and row.done]
    # By name: a row keeps its colour, whatever its rank becomes.
    names = sorted(r.strategy for r in shown if r.strategy != table.baseline)
    rows = [_row_data(row, names, history) for row in shown]
    baseline = [r for r in rows if r.row.strategy == table.baseline]
    title, model = dataset.label, table.model
    return TableData(
        title if model is None else f"{title} · {model}",
        dataset.about.classes if dataset.about else (),
        rows,
        baseline[0] if baseline else None,
        table.fronts[COMPUTE].of,
        table.fronts[COMPUTE].rows,
    )


def _row_data(
    row: Row, names: Sequence[str], history: Callable[[str], History]
) -> RowData:
    name = row.strategy
    label = label_of(name)
    done = [seed for seed in row.seeds if seed.status == "done"]
    seeds = [(seed, history(seed.cell)) for seed in done]
    if name not in names:
        return RowData(label, DARK, "o", row, seeds)
    turn, i = divmod(names.index(name), len(_COLOURS))
    marker = _MARKERS[turn % len(_MARKERS)]
    return RowData(label, _shaded(_COLOURS[i], turn), marker, row, seeds)


def _shaded(colour: str, turn: int) -> str:
    """The colour, as `#rrggbb`, as it looks when the palette has been used up."""
    towards, share = _SHADES[turn % len(_SHADES)]
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(p + (towards - p) * share):02X}" for p in parts)
