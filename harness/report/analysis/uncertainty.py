"""How sure the figures of a row are, and how far it is from the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.analysis.comparisons import (
    ALSO_COMPARED,
    DIGITS,
    arms_of_seeds,
    compare,
    gain_of,
    interval,
    is_scored,
)
from harness.report.analysis.scored_cells import MACRO_F1, SEEDS, SEEDS_AND_RECORDS
from harness.report.board.parts import (
    BaselineComparison,
    FigureInterval,
    Gain,
    RowIntervals,
)
from harness.statistics import estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.report.analysis.scored_cells import ScoredCells
    from harness.report.read import CellResult
    from harness.statistics import Arm


def row_intervals(
    cells: Sequence[CellResult], scored: Mapping[str, ScoredCells]
) -> RowIntervals | None:
    """95 % intervals of a row's means over seeds; None where no cell is done, or the
    records of one aren't known.

    Parameters
    ----------
    scored
        As for `harness.report.analysis.comparisons.compare`.
    """
    done = [cell for cell in cells if is_scored(cell)]
    if not done:
        return None
    if not scored:
        (arm,) = arms_of_seeds(done)
        alone = _interval(arm).model_copy(update={"patients_error": None})
        return RowIntervals(holds=SEEDS, figures={MACRO_F1: alone}, f1={})
    known = _known(done, scored)
    if known is None:
        return None
    arms = {name: known.arm(done, name) for name in (MACRO_F1, *ALSO_COMPARED)}
    classes = zip(_classes(done), known.class_arms(done), strict=True)
    return RowIntervals(
        holds=SEEDS_AND_RECORDS,
        figures={name: _interval(arm) for name, arm in arms.items() if arm},
        f1={name: _interval(arm) for name, (arm,) in classes},
    )


def against_baseline(
    cells: Sequence[CellResult],
    baseline: Sequence[CellResult],
    scored: Mapping[str, ScoredCells],
) -> BaselineComparison | None:
    """A row minus the baseline, paired by seed; None without a baseline."""
    if not baseline:
        return None
    by_seed = {cell.cell.seed: cell for cell in baseline}
    pairs = [(c, by_seed[c.cell.seed]) for c in cells if c.cell.seed in by_seed]
    found = compare(pairs, scored, len(cells))
    f1 = _class_gains(pairs, scored) if found.holds == SEEDS_AND_RECORDS else {}
    return BaselineComparison(**dict(found), f1=f1)


def _class_gains(
    pairs: Sequence[tuple[CellResult, CellResult]], scored: Mapping[str, ScoredCells]
) -> dict[str, Gain]:
    """Differences of F1 by class, of the pairs that can be compared."""
    known = scored[pairs[0][0].cell.id]
    done = [pair for pair in pairs if known.comparable(pair)]
    ours, theirs = ([pair[side] for pair in done] for side in (0, 1))
    gains = [one.minus(two) for one, two in known.class_arms(ours, theirs)]
    return {
        name: gain_of(gain, estimate(gain))
        for name, gain in zip(_classes(ours), gains, strict=True)
    }


def _known(
    cells: Sequence[CellResult], scored: Mapping[str, ScoredCells]
) -> ScoredCells | None:
    """What knows the records of all the cells, if they are the same ones."""
    known = scored.get(cells[0].cell.id)
    return known if known and known.comparable(cells) else None


def _classes(cells: Sequence[CellResult]) -> list[str]:
    return cells[0].result.dataset.classes if cells[0].result else []


def _interval(arm: Arm) -> FigureInterval:
    found = estimate(arm)
    low, high = interval(found, 0.0)
    error = round(found.patients_error, DIGITS)
    return FigureInterval(low=low, high=high, patients_error=error)
