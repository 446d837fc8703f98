"""How far a figure moved between two leaderboards, and how much of it is noise.

Macro-F1 of both sides is taken in the same draws of test patients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.report.analysis.comparisons import DIGITS, FEWEST_SEEDS
from harness.report.analysis.scored_cells import ScoredCells, score_cells
from harness.results.predictions import read_test_predictions
from harness.statistics import Arm, Scores, estimate, estimate_apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.diff.sides import Key, Side
    from harness.report.read import CellResult
    from harness.results.predictions import Predictions
    from harness.statistics import Arm

    BySeed = dict[int, CellResult]


Verdict = Literal["same", "better", "worse", "within noise", "too few seeds"]
Noise = Literal["seeds and records", "seeds"]
Arms = Callable[[Sequence[int], Sequence[int]], "tuple[Arm, Arm] | None"]
"""Of some seeds of BASE and of HEAD, where it's known what other patients would make of
them; None where that isn't known, or they weren't judged on the same records."""

SAME = 1e-6
"""What is less apart is the same, but for the order in which it was added up."""


@dataclass(frozen=True)
class Difference:
    """HEAD minus BASE of a score; its 95 % interval is change +- reach.

    Attributes
    ----------
    base, head
        Means over the seeds that were compared.
    reach
        None where one seed is all there is.
    seeds
        How many of each side.
    paired
        Whether they are the same seeds, taken pair by pair.
    noise
        What the interval holds: the spread of seeds, and that of test records too.
    """

    base: float
    head: float
    change: float
    reach: float | None
    seeds: tuple[int, int]
    paired: bool
    noise: Noise
    verdict: Verdict


def difference(
    base: Mapping[int, float], head: Mapping[int, float], arms: Arms | None = None
) -> Difference | None:
    """Of a score by seed; None where a side has none."""
    if not base or not head:
        return None
    theirs, ours = compared_seeds(base, head)
    paired = theirs == ours
    found = arms(theirs, ours) if arms else None
    noise: Noise = "seeds and records" if found else "seeds"
    before, after = found or _of_seeds(
        [base[seed] for seed in theirs], [head[seed] for seed in ours]
    )
    result = estimate(after.minus(before)) if paired else estimate_apart(after, before)
    same = paired and bool(np.all(np.abs(after.values - before.values) < SAME))
    few = min(len(ours), len(theirs)) < FEWEST_SEEDS
    reach = None if result.reach is None else round(result.reach, DIGITS)
    return Difference(
        base=round(float(before.values.mean()), DIGITS),
        head=round(float(after.values.mean()), DIGITS),
        change=round(result.mean, DIGITS),
        reach=reach,
        seeds=(len(theirs), len(ours)),
        paired=paired,
        noise=noise,
        verdict="same" if same else _verdict(result.mean, result.reach, few=few),
    )


def compared_seeds(
    base: Mapping[int, float], head: Mapping[int, float]
) -> tuple[list[int], list[int]]:
    """Which seeds of each side are compared: the same ones, pair by pair, if they are
    all or enough; otherwise all, as independent trainings.
    """
    common = sorted(base.keys() & head.keys())
    if base.keys() == head.keys() or len(common) >= FEWEST_SEEDS:
        return common, common
    return sorted(base), sorted(head)


def _of_seeds(before: list[float], after: list[float]) -> tuple[Arm, Arm]:
    scores = Scores.without_patients(np.array([*before, *after], dtype=np.float64))
    ends = len(before), len(scores.values)
    return scores.arm(range(ends[0])), scores.arm(range(*ends))


def _verdict(change: float, reach: float | None, *, few: bool) -> Verdict:
    if abs(change) < SAME:
        return "same"
    if few or reach is None:
        return "too few seeds"
    if abs(change) <= reach:
        return "within noise"
    return "better" if change > 0 else "worse"


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
