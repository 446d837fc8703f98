"""What a teacher bought, lead by lead: with it, without it, and beside controls."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.report.analysis.comparisons import (
    DIGITS,
    FEWEST_SEEDS,
    TOO_FEW_SEEDS,
    UNMEASURED,
    VERDICTS,
    by_split,
    compare,
)
from harness.report.analysis.facet_groups import UNTAUGHT, lead_groups
from harness.report.board.board import Facet, FacetControl, FacetGroup, Gap
from harness.report.board.summary import summarise
from harness.report.render.format import plural
from harness.statistics import share_of_gap_closed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.analysis.facet_groups import LeadGroup, LeadSet, Replicate
    from harness.report.analysis.scored_cells import ScoredCells
    from harness.report.board.parts import Comparison, Summary
    from harness.report.read import CellResult, SuiteResults

    Scored = Mapping[str, ScoredCells]

NO_GAP = "the teacher isn't measurably above"


def describe_leads(results: SuiteResults, scored: Scored) -> list[FacetGroup]:
    """Taught strategies of a suite, each with its lead sets; none without a teacher.

    Parameters
    ----------
    scored
        What knows the records of a cell, by the cell's id.
    """
    return [_group(group, scored) for group in lead_groups(results)]


def _cells(groups: Iterable[LeadGroup]) -> list[CellResult]:
    return [
        cell
        for group in groups
        for one in group.lead_sets
        for replicate in one.replicates
        for cell in replicate.cells
    ]


def _group(group: LeadGroup, scored: Scored) -> FacetGroup:
    facets = [_facet(one, scored) for one in group.lead_sets]
    return FacetGroup(
        data=group.data,
        model=group.model,
        strategy=group.strategy,
        leads=facets,
        summary=_summary(facets),
        problems=_problems(group, facets, scored),
    )


def _facet(one: LeadSet, scored: Scored) -> Facet:
    taught = [r.taught for r in one.replicates]
    teachers = {r.teacher.cell.id: r.teacher for r in one.replicates if r.teacher}
    names = {name: None for r in one.replicates for name in r.controls}
    names = {UNTAUGHT: None} | names if UNTAUGHT in names else names
    return Facet(
        leads=list(one.leads),
        cells=len(taught),
        done=sum(c.result is not None for c in taught),
        macro_f1=_macro_f1(taught),
        teacher=_macro_f1(teachers.values()),
        controls=[_control(name, one.replicates, scored) for name in names],
        gap=_gap(one.replicates, scored),
    )


def _control(
    name: str, replicates: Sequence[Replicate], scored: Scored
) -> FacetControl:
    found = [r.controls.get(name) for r in replicates]
    untaught = [(r.controls.get(name), r.controls.get(UNTAUGHT)) for r in replicates]
    compares = name != UNTAUGHT and any(other for _, other in untaught)
    return FacetControl(
        name=name,
        macro_f1=_macro_f1(cell for cell in found if cell),
        against=_compared(
            [(r.taught, r.controls.get(name)) for r in replicates], scored
        ),
        beside_untaught=_compared(untaught, scored) if compares else None,
    )


def _macro_f1(cells: Iterable[CellResult]) -> Summary | None:
    return summarise(c.result.metrics.test.macro_f1 for c in cells if c.result)


def _compared(
    pairs: Sequence[tuple[CellResult | None, CellResult | None]], scored: Scored
) -> Comparison:
    """The first of each pair minus the second, of those whose records are known."""
    known = [(a, b) for a, b in pairs if a and b]
    return compare(known, scored, len(pairs))


def _comparable(cells: Sequence[CellResult | None], scored: Scored) -> bool:
    known = next((scored[c.cell.id] for c in cells if c and c.cell.id in scored), None)
    return known is not None and known.comparable(cells)


def _gap(replicates: Sequence[Replicate], scored: Scored) -> Gap:
    """How far the taught has come on the way from the untaught to the teacher."""
    arms = [(r.taught, r.controls.get(UNTAUGHT), r.teacher) for r in replicates]
    whole = [[c for c in arm if c] for arm in arms if _comparable(arm, scored)]
    if not whole:
        return _no_gap(UNMEASURED)
    known = scored[whole[0][0].cell.id]
    taught = [cells[0] for cells in whole]
    scores = [known.arm(cells) for cells in zip(*whole, strict=True)]
    found = [by_split(arm, taught) for arm in scores if arm]
    if len(found[0]) < FEWEST_SEEDS:
        return _no_gap(TOO_FEW_SEEDS)
    share = share_of_gap_closed(*found)
    if share is None:
        return _no_gap(NO_GAP)
    middle, low, high = (round(value, DIGITS) for value in share)
    return Gap(share=middle, low=low, high=high, reason=None)


def _no_gap(reason: str) -> Gap:
    return Gap(share=None, low=None, high=None, reason=reason)


def _untaught(facet: Facet) -> FacetControl | None:
    return next((c for c in facet.controls if c.name == UNTAUGHT), None)


def _summary(facets: Sequence[Facet]) -> str:
    """On how many leads which verdict was reached against no teacher."""
    found = [_untaught(facet) for facet in facets]
    counts = Counter(
        control.against.verdict if control else UNMEASURED for control in found
    )
    single = all(len(facet.leads) == 1 for facet in facets)
    of = f"of {plural(len(facets), 'lead' if single else 'lead set')}"
    said = [f"{name} on {counts[name]}" for name in VERDICTS if counts[name]]
    return ", ".join([f"{said[0]} {of}", *said[1:]])


def _problems(group: LeadGroup, facets: Sequence[Facet], scored: Scored) -> list[str]:
    """Which pairs are missing, and whose predictions can't be used."""
    lines = []
    for facet in facets:
        leads = ",".join(facet.leads) or "all leads"
        if not _untaught(facet):
            lines.append(f"{leads}: no control called {UNTAUGHT!r}")
        for control in facet.controls:
            against = control.against
            n = against.difference.n if against.difference else 0
            if n < against.pairs:
                of = plural(against.pairs, "pair")
                lines.append(f"{leads}, {control.name}: {n} of {of} measured")
    cells = {cell.cell.id: cell.cell for cell in _cells([group])}
    lines += [
        f"{cell.dataset}, {cell.strategy}, seed {cell.seed}: "
        f"{scored[name].problems[name]}"
        for name, cell in cells.items()
        if name in scored and name in scored[name].problems
    ]
    return lines
