"""Macro-F1 of both sides in the same draws of test patients."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.scored_cells import ScoredCells, score_cells
from harness.results.predictions import read_test_predictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.diff.noise import Arms
    from harness.report.diff.side import Key, Side
    from harness.report.frame import CellResult
    from harness.results.predictions import Predictions
    from harness.statistics import Arm

    BySeed = dict[int, CellResult]

BASE, HEAD = "BASE", "HEAD"


class RecordScores:
    """Of rows that both sides have predictions of; none, if one is a JSON file.

    Parameters
    ----------
    keys
        The rows that are asked for; of one data set, all are of the same classes.

    Attributes
    ----------
    problems
        Why predictions couldn't be used, a line each.
    """

    def __init__(self, base: Side, head: Side, keys: Iterable[Key]) -> None:
        self.problems: list[str] = []
        self._rows: dict[Key, tuple[BySeed, BySeed]] = {}
        self._scores: dict[str, ScoredCells] = {}
        if base.results is None or head.results is None:
            return
        roots = {BASE: base.path, HEAD: head.path}
        self._rows = {key: (_of(base, BASE, key), _of(head, HEAD, key)) for key in keys}
        for dataset in sorted({key[0] for key in self._rows}):
            self._scores[dataset] = self._scored(dataset, roots)

    def arms(self, key: Key) -> Arms | None:
        """Of a row, by seeds of BASE and of HEAD; None if it isn't there."""
        if key not in self._rows:
            return None
        before, after = self._rows[key]
        scores = self._scores[key[0]]

        def found(theirs: Sequence[int], ours: Sequence[int]) -> tuple[Arm, Arm] | None:
            cells = [before.get(s) for s in theirs], [after.get(s) for s in ours]
            # The same seed may have its own test records, where splits differ.
            groups = zip(*cells, strict=True) if theirs == ours else [chain(*cells)]
            if not all(scores.comparable(list(group)) for group in groups):
                return None
            before_arm, after_arm = (
                scores.arm([c for c in side if c]) for side in cells
            )
            return (before_arm, after_arm) if before_arm and after_arm else None

        return found

    def _scored(self, dataset: str, roots: dict[str, Path]) -> ScoredCells:
        cells = {
            cell.cell.id: cell
            for key, sides in self._rows.items()
            for side in sides
            for cell in side.values()
            if key[0] == dataset
        }

        def read(cell: CellResult) -> Predictions:
            return read_test_predictions(roots[_side(cell)] / cell.cell.folder)

        scores = score_cells(cells.values(), read)
        for name, problem in scores.problems.items():
            of = cells[name]
            where = f"{dataset}, {of.cell.strategy}, seed {of.cell.seed}"
            self.problems.append(f"{_side(of)}: {where}: {problem}")
        return scores


def _of(side: Side, name: str, key: Key) -> BySeed:
    """A row's done cells by seed, with ids that tell the two sides apart."""
    assert side.results is not None
    return {
        c.cell.seed: replace(
            c, cell=c.cell.model_copy(update={"id": f"{name} {c.cell.id}"})
        )
        for c in side.results.cells
        if c.result is not None
        and c.cell.role != "required"
        and (c.cell.dataset, c.cell.model, c.cell.strategy) == key
    }


def _side(cell: CellResult) -> str:
    return cell.cell.id.split(" ", 1)[0]
