"""A comparison as markdown, for a comment on a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from harness.report.diff.changes import COST_NAMES, SCORE_NAMES
from harness.report.render.format import (
    NOT_MEASURED,
    amount,
    engineering,
    escape,
    memory,
    percent,
    plural,
)

if TYPE_CHECKING:
    from harness.report.diff.changes import RowChange, SuiteDiff
    from harness.report.diff.cost_changes import CostChange
    from harness.report.diff.noise import Difference

_SHOW: dict[str, Callable[[float], str]] = {
    "effective_epochs": amount,
    "forward_epochs": amount,
    "training_flops": partial(engineering, unit="FLOP"),
    "peak_memory_bytes": memory,
}
_LISTED = ("new", "gone")
_HEAD = (
    "| verdict | data | model | strategy | macro-F1 | change | cost | also |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)


def diff_page(diff: SuiteDiff) -> str:
    """Markdown: what is refused, what changed, and folded away what is noise.

    Where nothing changed it's a heading and two lines.
    """
    blocks = [f"### {escape(diff.suite)}: {_headline(diff)}"]
    if diff.regressions:
        lines = [f"- {_name(row)}: {escape(text)}" for row, text in diff.regressions]
        blocks.append("\n".join(["**Refused by the gate**", "", *lines]))
    rows = [row for row in diff.rows if row.verdict not in _LISTED]
    changed = [row for row in rows if row.changed]
    quiet = [row for row in rows if not row.changed]
    if changed:
        blocks.append(_table(changed))
    for verdict in _LISTED:
        alone = [row for row in diff.rows if row.verdict == verdict]
        lines = [f"- {_name(row)}: {escape(', '.join(row.notes))}" for row in alone]
        if lines:
            blocks.append(f"**{verdict.capitalize()}**\n\n" + "\n".join(lines))
    if quiet and diff.changed:
        blocks += [
            f"<details><summary>{plural(len(quiet), 'row')} without a measurable "
            "change</summary>",
            _table(quiet),
            "</details>",
        ]
    if diff.problems:
        lines = [f"- {escape(text)}" for text in diff.problems]
        blocks.append("\n".join(["**Predictions that were not used**", "", *lines]))
    return "\n\n".join([*blocks, _footer(diff)]) + "\n"


def _headline(diff: SuiteDiff) -> str:
    said = [plural(len(diff.regressions), "regression")] if diff.regressions else []
    counts = Counter[str](row.verdict for row in diff.rows)
    said += [f"{counts[v]} {v}" for v in ("worse", "better", *_LISTED) if counts[v]]
    if said:
        return ", ".join(said)
    if diff.changed:
        return "no measurable change in macro-F1"
    few = counts["too few seeds"]
    unsure = f", too few seeds in {few}" if few else ""
    return f"no measurable change in {plural(len(diff.rows) - few, 'row')}{unsure}"


def _name(row: RowChange) -> str:
    parts = [row.dataset, row.model, row.strategy]
    return " · ".join(escape(part) for part in parts if part)


def _table(rows: Sequence[RowChange]) -> str:
    lines = [
        f"| {verdict} | {escape(row.dataset)} | {escape(row.model or NOT_MEASURED)} | "
        f"{escape(row.strategy)} | {score} | {change} | {costs} | {also} |"
        for row in rows
        for verdict, score, change, costs, also in [_fields(row)]
    ]
    return "\n".join([*_HEAD, *lines])


def _fields(row: RowChange) -> tuple[str, str, str, str, str]:
    found = row.scores.get("macro_f1")
    score, change = NOT_MEASURED, NOT_MEASURED
    if found:
        score, change = f"{found.base:.3f} → {found.head:.3f}", _change(found)
    verdict = f"**{row.verdict}**" if row.regressions else row.verdict
    costs = [_cost(*item) for item in row.dearer_or_cheaper.items()]
    also = [escape(note) for note in row.notes]
    also += [
        f"{SCORE_NAMES[name]} {_change(other)}: {other.verdict}"
        for name, other in row.scores.items()
        if name != "macro_f1" and other.verdict in ("better", "worse")
    ]
    return verdict, score, change, ", ".join(costs) or _quiet(row), ", ".join(also)


def _quiet(row: RowChange) -> str:
    """What is to be said of costs of which none changed by more than noise."""
    if not row.costs:
        return NOT_MEASURED
    same = all(cost.verdict == "same" for cost in row.costs.values())
    return "same" if same else "within noise"


def _change(found: Difference) -> str:
    if found.verdict == "same":
        return "same"
    reach = "" if found.reach is None else f" ± {found.reach:.3f}"
    return f"{found.change:+.3f}{reach}"


def _cost(name: str, cost: CostChange) -> str:
    show = _SHOW[name]
    by = "" if cost.ratio is None else f" ({_signed_percent(cost.ratio - 1)})"
    return f"{COST_NAMES[name]} {show(cost.base)} → {show(cost.head)}{by}"


def _signed_percent(share: float) -> str:
    return f"{'+' if share > 0 else '-'}{percent(abs(share))}"


_HELD = {
    "seeds": "the spread of seeds alone, for want of predictions on both sides",
    "seeds and records": "the spread of seeds, and the drawing of test patients, the "
    "same on both sides",
}
_HELD_BY_SOME = "the spread of seeds, and of some rows the drawing of test patients"


def _footer(diff: SuiteDiff) -> str:
    """How the noise was found, and what was let pass."""
    found = [row.scores["macro_f1"] for row in diff.rows if "macro_f1" in row.scores]
    judged = [d for d in found if d.verdict != "same"]
    sentences = []
    if judged:
        kinds = {d.noise for d in judged}
        held = _HELD[kinds.pop()] if len(kinds) == 1 else _HELD_BY_SOME
        sentences.append(f"± is the 95 % interval of the change: it holds {held}.")
    if not all(d.paired for d in judged):
        sentences.append("Seeds that differ are taken as independent trainings.")
    limits = [
        f"{name} {limit:g}" if name in SCORE_NAMES else f"{name} {percent(limit)}"
        for name, limit in diff.gate.model_dump().items()
        if limit is not False
    ]
    sentences.append(f"Let pass: {', '.join(limits) or 'all'}. Times aren't compared.")
    return f"<sub>{' '.join(sentences)}</sub>"
