"""What a teacher bought, lead by lead: with it, without it, and beside controls."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.report.comparisons import FEWEST_SEEDS, VERDICTS, verdict_of
from harness.report.lead_groups import UNTAUGHT, lead_groups
from harness.report.lead_scores import lead_scores
from harness.report.summary import summarise
from harness.report.wording import plural
from harness.statistics import estimate, share_of_gap_closed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.frame import CellResult, SuiteResults
    from harness.report.lead_groups import LeadGroup, LeadSet, Replicate
    from harness.report.lead_scores import LeadScores, Read

NO_GAP = "the teacher isn't measurably above"

_DIGITS = 6
"""Of the ends of intervals: what draws of patients fix, on every machine."""

Part = dict[str, Any]


def describe_leads(results: SuiteResults, read: Read) -> list[Part]:
    """Taught strategies of a suite, each with its lead sets; none without a teacher.

    Parameters
    ----------
    read
        Gives the predictions of a done cell; raises OSError or ValueError.

    Returns
    -------
    list of dict
        `data`, `model`, `strategy`: labels. `leads`: of each lead set its `leads`
        (empty: all), `cells` and how many are `done`, `macro_f1` and `teacher` (that of
        the teachers; each over replicates), `controls` and `gap`. Of each control its
        `name`, `macro_f1`, `against` it and `beside_untaught` (the control against the
        cell without teacher; None where there is none). A comparison holds
        `difference`, `low`, `high`, `ahead`, `pairs` (as many as there should be) and
        `verdict`. `gap`: `share`, `low`, `high`, or the `reason` why there is none.
        `summary`: one line; `problems`: what is missing, and why.
    """
    groups = lead_groups(results)
    scores = {
        data: lead_scores(_cells(g for g in groups if g.data == data), read)
        for data in sorted({group.data for group in groups})
    }
    return [_group(group, scores[group.data]) for group in groups]


def _cells(groups: Iterable[LeadGroup]) -> list[CellResult]:
    return [
        cell
        for group in groups
        for one in group.lead_sets
        for replicate in one.replicates
        for cell in replicate.cells
    ]


def _group(group: LeadGroup, scores: LeadScores) -> Part:
    parts = [_lead_set(one, scores) for one in group.lead_sets]
    return {
        "data": group.data,
        "model": group.model,
        "strategy": group.strategy,
        "leads": parts,
        "summary": _summary(parts),
        "problems": _problems(group, parts, scores),
    }


def _lead_set(one: LeadSet, scores: LeadScores) -> Part:
    taught = [r.taught for r in one.replicates]
    teachers = {r.teacher.cell.id: r.teacher for r in one.replicates if r.teacher}
    names = {name: None for r in one.replicates for name in r.controls}
    names = {UNTAUGHT: None} | names if UNTAUGHT in names else names
    return {
        "leads": list(one.leads),
        "cells": len(taught),
        "done": sum(c.result is not None for c in taught),
        "macro_f1": _macro_f1(taught),
        "teacher": _macro_f1(teachers.values()),
        "controls": [_control(name, one.replicates, scores) for name in names],
        "gap": _gap(one.replicates, scores),
    }


def _control(name: str, replicates: Sequence[Replicate], scores: LeadScores) -> Part:
    found = [r.controls.get(name) for r in replicates]
    against = _compared([(r.taught, r.controls.get(name)) for r in replicates], scores)
    untaught = [(r.controls.get(name), r.controls.get(UNTAUGHT)) for r in replicates]
    compares = name != UNTAUGHT and any(other for _, other in untaught)
    return {
        "name": name,
        "macro_f1": _macro_f1(cell for cell in found if cell),
        "against": against,
        "beside_untaught": _compared(untaught, scores) if compares else None,
    }


def _macro_f1(cells: Iterable[CellResult]) -> Part | None:
    return summarise(c.result.metrics.test.macro_f1 for c in cells if c.result)


def _compared(
    pairs: Sequence[tuple[CellResult | None, CellResult | None]], scores: LeadScores
) -> Part:
    """The first of each pair minus the second."""
    usable = [(a, b) for a, b in pairs if a and b and scores.comparable((a, b))]
    summary, low, high, reach, ahead = None, None, None, None, 0
    if usable:
        ours, theirs = (scores.arm(cells) for cells in zip(*usable, strict=True))
        gain = ours.minus(theirs)
        summary = summarise(gain.scores.tolist())
        found = estimate(gain)
        reach, ahead = found.reach, int((gain.scores > 0).sum())
        if reach is not None:
            low = round(found.mean - reach, _DIGITS)
            high = round(found.mean + reach, _DIGITS)
    return {
        "difference": summary,
        "low": low,
        "high": high,
        "ahead": ahead,
        "pairs": len(pairs),
        "verdict": verdict_of(summary, reach),
    }


def _gap(replicates: Sequence[Replicate], scores: LeadScores) -> Part:
    """How far the taught has come on the way from the untaught to the teacher."""
    arms = [(r.taught, r.controls.get(UNTAUGHT), r.teacher) for r in replicates]
    whole = [[c for c in arm if c] for arm in arms if scores.comparable(arm)]
    if not whole:
        return _no_gap("not measured")
    if len(whole) < FEWEST_SEEDS:
        return _no_gap("too few seeds")
    share = share_of_gap_closed(*map(scores.arm, zip(*whole, strict=True)))
    if share is None:
        return _no_gap(NO_GAP)
    ends = (round(value, _DIGITS) for value in share)
    return {**dict(zip(("share", "low", "high"), ends, strict=True)), "reason": None}


def _no_gap(reason: str) -> Part:
    return {"share": None, "low": None, "high": None, "reason": reason}


def _untaught(part: Part) -> Part | None:
    controls = {control["name"]: control for control in part["controls"]}
    return controls.get(UNTAUGHT)


def _summary(parts: Sequence[Part]) -> str:
    """On how many leads which verdict was reached against no teacher."""
    found = [_untaught(part) for part in parts]
    counts = Counter(
        control["against"]["verdict"] if control else "not measured"
        for control in found
    )
    single = all(len(part["leads"]) == 1 for part in parts)
    of = f"of {plural(len(parts), 'lead' if single else 'lead set')}"
    said = [f"{name} on {counts[name]}" for name in VERDICTS if counts[name]]
    return ", ".join([f"{said[0]} {of}", *said[1:]])


def _problems(group: LeadGroup, parts: Sequence[Part], scores: LeadScores) -> list[str]:
    """Which pairs are missing, and whose predictions can't be used."""
    lines = []
    for part in parts:
        leads = ",".join(part["leads"]) or "all leads"
        if not _untaught(part):
            lines.append(f"{leads}: no control called {UNTAUGHT!r}")
        for control in part["controls"]:
            against = control["against"]
            n = against["difference"]["n"] if against["difference"] else 0
            if n < against["pairs"]:
                of = plural(against["pairs"], "pair")
                lines.append(f"{leads}, {control['name']}: {n} of {of} measured")
    cells = {cell.cell.id: cell.cell for cell in _cells([group])}
    lines += [
        f"{cell.dataset}, {cell.strategy}, seed {cell.seed}: {scores.problems[name]}"
        for name, cell in cells.items()
        if name in scores.problems
    ]
    return lines
