"""Ranks, shared by rows that can't be told apart: of a table, and across tables."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from harness.report.analysis.comparisons import BETTER, WORSE, is_scored, verdict_on
from harness.report.board.board import MeanRank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.report.analysis.scored_cells import ScoredCells
    from harness.report.board.parts import Verdict
    from harness.report.read import CellResult

    Rows = Mapping[str, Sequence[CellResult]]
    Verdicts = Mapping[tuple[str, str], Verdict]


@dataclass(frozen=True)
class Standing:
    """How many of the other rows a row is measurably below, and above."""

    below: int
    above: int
    others: int

    @property
    def middle(self) -> float:
        """The middle of the places that it could take, rows that can't be told apart
        from it counting half.
        """
        return 1 + self.below + (self.others - self.below - self.above) / 2


def verdicts_between(
    rows: Rows, scored: Mapping[str, ScoredCells]
) -> dict[tuple[str, str], Verdict]:
    """The verdict on each row against each other, paired by seed, by their labels.

    One comparison at a time, at a level of 5 %.
    """
    found = {}
    labels = list(rows)
    for i, one in enumerate(labels):
        theirs = {c.cell.seed: c for c in rows[one] if is_scored(c)}
        for other in labels[i + 1 :]:
            pairs = [
                (theirs[c.cell.seed], c)
                for c in rows[other]
                if c.cell.seed in theirs and is_scored(c)
            ]
            verdict = verdict_on(pairs, scored)
            turned = {BETTER: WORSE, WORSE: BETTER}
            found[one, other] = verdict
            found[other, one] = turned.get(verdict, verdict)
    return found


def standings(labels: Sequence[str], verdicts: Verdicts) -> dict[str, Standing]:
    """Where each row stands among those with these labels."""
    found = {}
    for label in labels:
        said = [verdicts[label, other] for other in labels if other != label]
        found[label] = Standing(said.count(WORSE), said.count(BETTER), len(said))
    return found


def ranks(labels: Sequence[str], verdicts: Verdicts) -> dict[str, int]:
    """1 + the number of rows that are measurably better, but no row is ranked above one
    that stands before it.

    Parameters
    ----------
    labels
        In the order of the rows' means, best first.
    """
    found, last = {}, 1
    for label, standing in standings(labels, verdicts).items():
        last = max(last, 1 + standing.below)
        found[label] = last
    return found


def mean_ranks(
    tables: Sequence[tuple[Sequence[str], Verdicts]],
) -> list[MeanRank]:
    """Rows that stand in all tables, by the mean of their ranks among each other.

    Tied ranks are the middle of the places that the tied ones could take (Demšar
    2006), ties being rows that can't be told apart.

    Parameters
    ----------
    tables
        Labels of the ranked rows of each table, and the verdicts between them.

    Returns
    -------
    list of MeanRank
        Best first. Empty unless two tables have two rows in common.
    """
    common = (
        set.intersection(*(set(labels) for labels, _ in tables)) if tables else set()
    )
    if len(tables) < 2 or len(common) < 2:
        return []
    labels = sorted(common)
    places = [standings(labels, verdicts) for _, verdicts in tables]
    rows = []
    for label in labels:
        ranks = [found[label].middle for found in places]
        rows.append(MeanRank(strategy=label, mean_rank=fmean(ranks), ranks=ranks))
    return sorted(rows, key=lambda row: (row.mean_rank, row.strategy))
