"""The rows of two leaderboards side by side, and what the gate refuses of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.errors import ConfigError
from harness.options.explain import explain
from harness.options.gate import Gate
from harness.report.board.summary import summarise
from harness.report.diff.changes import COST_NAMES, SCORE_NAMES, RowChange, SuiteDiff
from harness.report.diff.cost_changes import COSTS, cost_change
from harness.report.diff.noise import RecordScores, difference
from harness.report.diff.sides import other_settings, same_records
from harness.report.render.format import percent, plural, score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.options.gate import Gate
    from harness.report.board.board import Row
    from harness.report.diff.changes import Headline
    from harness.report.diff.cost_changes import CostChange
    from harness.report.diff.noise import Difference
    from harness.report.diff.sides import Key, Placed, Side


def compare_sides(base: Side, head: Side, gate: Gate | None = None) -> SuiteDiff:
    """What changed from BASE to HEAD.

    Parameters
    ----------
    gate
        None: what BASE's suite says, so that a change can't loosen the gate that it
        has to pass.

    Raises
    ------
    ConfigError
        If the two are of different suites, or BASE's thresholds can't be read.
    """
    if base.board.suite != head.board.suite:
        raise ConfigError(
            f"{base.path} is of suite {base.board.suite!r}, {head.path} of "
            f"{head.board.suite!r}; only leaderboards of one suite can be compared"
        )
    limits = gate or _gate_of(base)
    before, after = base.rows, head.rows
    both = [key for key in before if key in after]
    # Rows whose scores are the same need no draws.
    moved = [key for key in both if _moved(before[key], after[key])]
    records = RecordScores(base, head, moved)
    rows = [
        *(_compared(k, before[k], after[k], records, limits) for k in both),
        *(_alone(k, "gone", before[k][2]) for k in before if k not in after),
        *(_alone(k, "new", after[k][2]) for k in after if k not in before),
    ]
    rows.sort(key=lambda row: (row.dataset, row.model or "", row.strategy))
    return SuiteDiff(head.board.suite, limits, tuple(rows), tuple(records.problems))


def _gate_of(base: Side) -> Gate:
    try:
        return Gate.model_validate(base.board.gate)
    except ValidationError as error:
        problems = explain(error.errors(), Gate.model_json_schema(), "gate")
        raise ConfigError(problems, str(base.path)) from None


def _alone(key: Key, verdict: Headline, row: Row) -> RowChange:
    found = summarise(_values(row, "macro_f1").values())
    note = "not done"
    if found:
        note = f"macro-F1 {score(found)} over {plural(found.n, 'seed')}"
    return RowChange(*key, verdict, notes=[note])


def _compared(
    key: Key, before: Placed, after: Placed, records: RecordScores, gate: Gate
) -> RowChange:
    base, head = before[2], after[2]
    regressions = list(losses(base, head))
    if not (_done(base) and _done(head)):
        verdict: Headline = "same"
        if _done(base) or _done(head):
            verdict = "not done" if _done(base) else "first result"
        return RowChange(*key, verdict, regressions=regressions)
    notes = list(other_settings(before, after))
    costs = _costs(base, head, gate)
    if not same_records(before[0], after[0]):
        return RowChange(*key, "other data", {}, costs, notes, regressions)
    scores = _scores(key, base, head, records, gate)
    verdict = scores["macro_f1"].verdict if "macro_f1" in scores else "not measured"
    regressions += [*falls(scores, gate), *rises(costs, gate)]
    return RowChange(*key, verdict, scores, costs, notes, regressions)


def _done(row: Row) -> bool:
    return any(seed.status == "done" for seed in row.seeds)


def _values(row: Row, name: str) -> dict[int, float]:
    found = {seed.seed: seed.figure(name) for seed in row.seeds}
    return {seed: value for seed, value in found.items() if value is not None}


def _moved(before: Placed, after: Placed) -> bool:
    """Whether macro-F1 isn't the same, on the same data."""
    values = (_values(row, "macro_f1") for _, _, row in (before, after))
    return next(values) != next(values) and same_records(before[0], after[0])


def _scores(
    key: Key, base: Row, head: Row, records: RecordScores, gate: Gate
) -> dict[str, Difference]:
    """Of macro-F1, and of the others that are gated."""
    found = {}
    for name in SCORE_NAMES:
        if name != "macro_f1" and getattr(gate, name) is False:
            continue
        arms = records.arms(key) if name == "macro_f1" else None
        change = difference(_values(base, name), _values(head, name), arms)
        if change is not None:
            found[name] = change
    return found


def _costs(base: Row, head: Row, gate: Gate) -> dict[str, CostChange]:
    default = Gate().model_dump()
    found = {}
    for name in COSTS:
        # Where a cost isn't gated, what is worth telling is still the same.
        key = name if name in default else "training_flops"
        tolerance = getattr(gate, key)
        if tolerance is False:
            tolerance = default[key]
        change = cost_change(name, _values(base, name), _values(head, name), tolerance)
        if change is not None:
            found[name] = change
    return found


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


def losses(base: Row, head: Row) -> Iterator[str]:
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
