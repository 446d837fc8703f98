"""What a teacher bought, lead by lead, as markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.report.analysis.facet_groups import UNTAUGHT
from harness.report.render.blocks import folded, grid
from harness.report.render.format import (
    NOT_MEASURED,
    difference,
    escape,
    interval,
    score,
    signed,
)

if TYPE_CHECKING:
    from harness.report.board.board import Facet, FacetControl, FacetGroup, Gap

HEADING = "## With and without a teacher, lead by lead"
MEANING = (
    "Test macro-F1 of cells that learn from a teacher, with it and without it (the "
    f"control *{UNTAUGHT}*), and of their teachers: mean ± spread over seeds and "
    "splits. Differences are paired by seed and split, and their 95 % interval holds "
    "both how trainings fall out and which patients are in the test split; each holds "
    "for one comparison at a time. Gap closed: (with - without) / (teacher - without), "
    "with its 95 % interval, where three pairs show the teacher above."
)
_HEADINGS = (
    *("leads", "with", "without", "difference", "95 %", "ahead", "verdict"),
    *("teacher", "gap closed"),
)
_CONTROL_HEADINGS = (
    *("leads", "control", "macro-F1", "difference", "95 %", "ahead", "verdict"),
)

_OTHERS = {
    "macro_f1_tuned": "macro-F1, tuned thresholds",
    "accuracy": "accuracy",
    "macro_auroc": "macro AUROC",
    "mean_average_precision": "mean average precision",
    "calibration_error": "calibration error",
}


def leads_blocks(
    groups: Sequence[FacetGroup], pictures: Sequence[tuple[str, str]]
) -> list[str]:
    """A section for all of them; nothing where no cell has a teacher.

    Parameters
    ----------
    groups
        As `harness.report.analysis.facets.describe_leads` gives them.
    pictures
        Alternative text and relative path of each group's chart, if it has one.
    """
    if not groups:
        return []
    blocks = [HEADING, "\n".join(map(_sentence, groups)), MEANING]
    shown = dict(pictures)
    for group in groups:
        blocks += [f"### {title_of(group)}", _table(group)]
        blocks += [*_other_scores(group), *_controls(group)]
        if group.problems:
            blocks.append("\n".join(f"- {escape(p)}" for p in group.problems))
        text = alternative_text(group)
        if text in shown:
            blocks.append(f"![{escape(text)}]({shown[text]})")
    return blocks


def title_of(group: FacetGroup) -> str:
    """Strategy, data and model in one line, escaped."""
    return " · ".join(map(escape, (group.strategy, group.data, group.model)))


def alternative_text(group: FacetGroup) -> str:
    """What the chart of a group shows, in words."""
    return (
        f"Differences of macro-F1 to {UNTAUGHT}, lead by lead, with 95 % intervals: "
        f"{group.strategy}, {group.data}, {group.model}: {group.summary}"
    )


def _sentence(group: FacetGroup) -> str:
    where = f"{escape(group.data)} · {escape(group.model)}"
    return f"- **{escape(group.strategy)}** ({where}): {group.summary}."


def _table(group: FacetGroup) -> str:
    lines = []
    for part in group.leads:
        control = _untaught(part)
        lines.append(
            [
                _leads(part),
                score(part.macro_f1),
                score(control.macro_f1 if control else None),
                *_comparison(control),
                score(part.teacher),
                _gap(part.gap),
            ]
        )
    return grid(lines, _HEADINGS, ("leads", "verdict"))


def _other_scores(group: FacetGroup) -> list[str]:
    """By how much other scores than macro-F1 differ, in a table that folds away."""
    found = [(part, _untaught(part)) for part in group.leads]
    others = [(part, c.against.others) for part, c in found if c]
    names = [name for name in _OTHERS if any(name in known for _, known in others)]
    if not names:
        return []
    lines = [
        [
            _leads(part),
            *(
                difference(known[name]) if name in known else NOT_MEASURED
                for name in names
            ),
        ]
        for part, known in others
    ]
    table = grid(lines, ["leads", *(_OTHERS[name] for name in names)], ("leads",))
    return folded("Differences of other scores, with - without", table)


def _untaught(part: Facet) -> FacetControl | None:
    return next((c for c in part.controls if c.name == UNTAUGHT), None)


def _controls(group: FacetGroup) -> list[str]:
    """The other controls, in a table that folds away."""
    lines = [
        [
            _leads(part),
            escape(control.name),
            score(control.macro_f1),
            *_comparison(control),
        ]
        for part in group.leads
        for control in part.controls
        if control.name != UNTAUGHT
    ]
    if not lines:
        return []
    table = grid(lines, _CONTROL_HEADINGS, ("leads", "control", "verdict"))
    return folded("Beside the other controls", table)


def _comparison(control: FacetControl | None) -> list[str]:
    """Difference, interval, pairs ahead, verdict."""
    measured = control.against.difference if control else None
    if control is None or measured is None:
        return [*[NOT_MEASURED] * 3, "not measured"]
    against = control.against
    ends = interval(against, "+.3f")
    ahead = f"{against.ahead} of {measured.n}"
    return [signed(measured), ends, ahead, against.verdict]


def _leads(part: Facet) -> str:
    return escape(",".join(part.leads)) or "all"


def _gap(gap: Gap) -> str:
    if gap.share is None or gap.low is None or gap.high is None:
        return str(gap.reason)
    ends = f"{_whole(gap.low)} to {_whole(gap.high)}"
    return f"{_whole(gap.share)} ({ends})"


def _whole(share: float) -> str:
    return f"{round(100 * share)} %"
