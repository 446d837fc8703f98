"""How sure the figures of a row are, and how far it is from the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.analysis.comparisons import (
    ALSO_COMPARED,
    DIGITS,
    arms_of_seeds,
    compare,
    interval,
    is_scored,
    told,
)
from harness.report.analysis.scored_cells import MACRO_F1, SEEDS, SEEDS_AND_RECORDS
from harness.statistics import estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.report.analysis.scored_cells import ScoredCells
    from harness.report.read import CellResult
    from harness.statistics import Arm

Part = dict[str, Any]


def row_intervals(
    cells: Sequence[CellResult], scored: Mapping[str, ScoredCells]
) -> Part | None:
    """95 % intervals of a row's means over seeds; None where no cell is done, or the
    records of one aren't known.

    Parameters
    ----------
    scored
        As for `harness.report.analysis.comparisons.compare`.

    Returns
    -------
    dict
        `holds`: seeds, or seeds and records. `figures`: by name `low`, `high` (None
        for one seed) and `patients_error`, the standard error that comes from which
        patients are in the test split (None where records aren't known). `f1`: the
        same by class.
    """
    done = [cell for cell in cells if is_scored(cell)]
    if not done:
        return None
    if not scored:
        (arm,) = arms_of_seeds(done)
        alone = _told(arm) | {"patients_error": None}
        return {"holds": SEEDS, "figures": {MACRO_F1: alone}, "f1": {}}
    known = _known(done, scored)
    if known is None:
        return None
    arms = {name: known.arm(done, name) for name in (MACRO_F1, *ALSO_COMPARED)}
    return {
        "holds": SEEDS_AND_RECORDS,
        "figures": {name: _told(arm) for name, arm in arms.items() if arm},
        "f1": {
            name: _told(arm)
            for name, (arm,) in zip(_classes(done), known.class_arms(done), strict=True)
        },
    }


def against_baseline(
    cells: Sequence[CellResult],
    baseline: Sequence[CellResult],
    scored: Mapping[str, ScoredCells],
) -> Part | None:
    """A row minus the baseline, paired by seed, as `compare` gives it; None without a
    baseline.

    `f1`: by class the `difference`, `low` and `high`.
    """
    if not baseline:
        return None
    by_seed = {cell.cell.seed: cell for cell in baseline}
    pairs = [(c, by_seed[c.cell.seed]) for c in cells if c.cell.seed in by_seed]
    part = compare(pairs, scored, len(cells))
    part["f1"] = {}
    if part["holds"] == SEEDS_AND_RECORDS:
        known = scored[pairs[0][0].cell.id]
        done = [pair for pair in pairs if known.comparable(pair)]
        ours, theirs = ([pair[side] for pair in done] for side in (0, 1))
        arms = known.class_arms(ours, theirs)
        for name, (one, two) in zip(_classes(ours), arms, strict=True):
            gain = one.minus(two)
            part["f1"][name] = told(gain, estimate(gain))
    return part


def _known(
    cells: Sequence[CellResult], scored: Mapping[str, ScoredCells]
) -> ScoredCells | None:
    """What knows the records of all the cells, if they are the same ones."""
    known = scored.get(cells[0].cell.id)
    return known if known and known.comparable(cells) else None


def _classes(cells: Sequence[CellResult]) -> list[str]:
    return cells[0].result.dataset.classes if cells[0].result else []


def _told(arm: Arm) -> Part:
    found = estimate(arm)
    low, high = interval(found, 0.0)
    error = round(found.patients_error, DIGITS)
    return {"low": low, "high": high, "patients_error": error}
