"""What the gate refuses of a row, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.diff.wording import COST_NAMES, SCORE_NAMES
from harness.report.wording import percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.options.gate import Gate
    from harness.report.diff.board_schema import RowFile
    from harness.report.diff.costs import CostChange
    from harness.report.diff.noise import Difference


def falls(scores: Mapping[str, Difference], gate: Gate) -> Iterator[str]:
    """Scores that fell by more than the noise, and by more than is let pass."""
    for name, found in scores.items():
        limit = getattr(gate, name)
        if limit is False or found.verdict != "worse" or -found.change <= limit:
            continue
        yield (
            f"{SCORE_NAMES[name]} fell by {-found.change:.3f} ± {found.reach:.3f}, "
            f"from {found.base:.3f} to {found.head:.3f}; {limit:g} is let pass"
        )


def rises(costs: Mapping[str, CostChange], gate: Gate) -> Iterator[str]:
    """Costs that rose by more than the noise, and by more than is let pass."""
    for name, cost in costs.items():
        limit = getattr(gate, name, False)
        if limit is False or cost.verdict != "higher":
            continue
        rise = "from nothing"
        if cost.ratio is not None:
            rise = f"by {percent(cost.ratio - 1)}"
        let = f"{percent(limit)} is let pass"
        if cost.exact:
            let = "they are the same in all seeds, and may not rise at all"
        yield f"{COST_NAMES[name]} rose {rise}; {let}"


def losses(base: RowFile, head: RowFile) -> Iterator[str]:
    """Cells that aren't done any more, and an audit that isn't passed any more."""
    before, after = (
        sum(seed.status == "done" for seed in row.seeds) for row in (base, head)
    )
    whole = before == len(base.seeds) > 0
    if after < len(head.seeds) and (whole or before > after == 0):
        states = sorted({s.status for s in head.seeds if s.status != "done"})
        yield f"{after} of {len(head.seeds)} cells are done ({', '.join(states)})"
    if head.audit == "flagged" != base.audit:
        yield "its FLOPs are flagged: the audit counted others than the meter"
