"""What a reader of a table must know before believing it, one line each.

And the same in a few words: what each strategy buys.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.report.board.board import CELL_FIGURES
from harness.report.render.format import (
    engineering,
    escape,
    interval,
    percent,
    plural,
    ratio,
    settings,
    signed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.board.board import (
        CellOfRow,
        Processes,
        RequiredOfRow,
        Row,
        Table,
        WithoutRecords,
    )
    from harness.report.board.parts import BaselineComparison, ControlComparison
    from harness.results.cost_schema import Audit


FEW_SEEDS = 3


def table_notes(table: Table) -> list[str]:
    """Failures, flagged audits, few seeds and whatever else limits a table."""
    rows = table.rows
    return [
        *_told_together(
            (row.strategy, note) for row in rows for note in _row_notes(row)
        ),
        *_unbeaten_notes(table.comparisons),
        *_smallest_note(rows),
        *_records_notes(table.without_records),
        *_baseline_note(table),
        *_shared_notes(rows),
    ]


def _told_together(notes: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each note, with all rows that it's about."""
    rows: dict[str, list[str]] = {}
    for strategy, note in notes:
        rows.setdefault(note, []).append(f"**{escape(strategy)}**")
    return [f"{', '.join(names)}: {note}" for note, names in rows.items()]


def _smallest_note(rows: list[Row]) -> list[str]:
    line = smallest_shown(rows)
    return [line] if line else []


def _records_notes(found: Sequence[WithoutRecords]) -> list[str]:
    """Whose intervals lack the test records, and why."""
    return [
        f"**{escape(one.strategy)}**: {_seeds(one.seeds)}: "
        f"{escape(one.reason)}, so that it has no interval and isn't compared"
        for one in found
    ]


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _unbeaten_notes(comparisons: Sequence[ControlComparison]) -> list[str]:
    """Which controls a row isn't shown to beat."""
    by_row = defaultdict(list)
    for comparison in comparisons:
        difference = comparison.difference
        if difference is not None and comparison.verdict != "better":
            seeds = f", {plural(difference.n, 'seed')}"
            by_row[comparison.strategy].append(
                f"{comparison.name} ({signed(difference)}{seeds})"
            )
    return [
        f"**{escape(strategy)}** isn't shown to beat: {escape('; '.join(controls))}"
        for strategy, controls in by_row.items()
    ]


def failure_line(cell: CellOfRow) -> str:
    """Why one cell isn't done."""
    if cell.failure is None:
        return str(cell.status)
    kind, message = cell.failure.kind, cell.failure.message
    return f"{cell.status} ({escape(kind)}): {escape(message)}"


def _row_notes(row: Row) -> list[str]:
    notes = [f"† {escape(text)}" for text in row.footnotes]
    notes += [
        f"{_seeds(seeds)} {reason}" for reason, seeds in _by_reason(row.seeds).items()
    ]
    notes += [
        _audit_line(cell.seed, cell.audit)
        for cell in row.seeds
        if cell.audit and cell.audit.status == "flagged"
    ]
    if row.own_budget:
        # What a row does without is what sets it apart here.
        own = {k: v or "none" for k, v in row.own_budget.items() if k != "match"}
        match = row.own_budget.get("match")
        if match:
            notes.append(f"as long as {_matched(match)}")
        if own:
            notes.append(f"own budget: {escape(settings(own))}")
    if row.processes:
        notes.append(_processes_line(row.processes))
    if row.required:
        notes.append(_required_line(row.required))
    partly = sorted(
        key.replace("_", " ")
        for key in CELL_FIGURES
        if (found := row.figure(key)) and found.n < row.done
    )
    if partly:
        notes.append(f"not measured on every seed: {', '.join(partly)}")
    return notes


def _matched(match: Mapping[str, Any]) -> str:
    of = escape(match["of"]) if match.get("of") else "the row that it stands beside"
    what = "FLOPs" if match.get("what") == "flops" else "samples backpropagated"
    return f"{of}: as many {what}, the schedule stretched"


def _required_line(required: RequiredOfRow) -> str:
    names = escape(", ".join(required.strategies))
    flops = required.training_flops
    amount = f": {engineering(flops.mean, 'FLOP')}" if flops else ""
    warning = "⚠ their own cost failed its audit; " if required.flagged else ""
    return (
        f"{warning}compute and training FLOPs hold those of the cells that it requires "
        f"({names}{amount}) in full, though other rows may share them; epochs, memory "
        "and time are its own"
    )


def _processes_line(processes: Processes) -> str:
    numbers = " or ".join(map(str, processes.each))
    line = f"{numbers} processes shared a cell; memory is that of one of them"
    if not processes.apart:
        return line
    return (
        f"{line}, and BatchNorm's statistics and dropout are each process' own, so "
        "that these are other cells than those of one process"
    )


def _by_reason(seeds: Sequence[CellOfRow]) -> dict[str, list[int]]:
    reasons = defaultdict(list)
    for cell in seeds:
        if cell.status != "done":
            reasons[failure_line(cell)].append(cell.seed)
        elif cell.stale:
            reasons[_stale_line(cell.stale)].append(cell.seed)
    return reasons


def _stale_line(plugins: list[str]) -> str:
    return (
        "stale: made by another version of the source of "
        f"{escape(', '.join(plugins))} than is installed here"
    )


def _audit_line(seed: int, audit: Audit) -> str:
    apart = audit.largest_difference
    by = "" if apart is None else f" by up to {percent(apart)}"
    findings = [
        f"{escape(finding.where)}: "
        f"{engineering(finding.counted, 'FLOP')} counted, "
        f"{engineering(finding.metered, 'FLOP')} metered"
        for finding in audit.findings
    ]
    removed = [f"meter taken off {escape(name)}" for name in audit.removed_hooks]
    return (
        f"⚠ seed {seed}: work that was counted a second way differs from the "
        f"metered cost{by}, so its compute can't be relied on "
        f"({'; '.join([*findings, *removed]) or 'no detail'})"
    )


def _baseline_note(table: Table) -> list[str]:
    if table.baseline is None:
        return ["No finished baseline: compute relative to it is not measured."]
    if table.baseline != "baseline":
        return [f"Compute is relative to **{escape(table.baseline)}**."]
    return []


def _shared_notes(rows: list[Row]) -> list[str]:
    done = [row for row in rows if row.done]
    few = [row for row in done if row.done < FEW_SEEDS]
    unaudited = [row for row in done if row.audit in (None, "incomplete")]
    notes = []
    if few:
        notes.append(
            f"Fewer than {FEW_SEEDS} seeds done, so the spread says little (one seed "
            f"has none): {_names(few, rows)}."
        )
    if unaudited:
        notes.append(
            f"Cost metered but not confirmed by an audit: {_names(unaudited, rows)}."
        )
    by_items = defaultdict(list)
    for row in done:
        by_items[tuple(row.not_counted)].append(row)
    for items, members in sorted(by_items.items()):
        if items:
            names = ", ".join(escape(item) for item in items)
            notes.append(f"Not counted in FLOPs: {names} ({_names(members, rows)}).")
    return notes


def _names(some: list[Row], rows: list[Row]) -> str:
    if len(some) == len(rows) > 1:
        return f"all {plural(len(rows), 'row')}"
    return ", ".join(escape(row.strategy) for row in some)


HEADING = "**At a glance**"


def glance_lines(table: Table) -> list[str]:
    """A sentence for each strategy that something was claimed for: its compute, and
    whether it is better or worse than the baseline; as lines of markdown.

    Controls, floors and the baseline have none: what they say is in the table.
    """
    return [
        f"- **{escape(row.strategy)}**: {'; '.join(_clauses(row, found))}."
        for row in table.rows
        if (found := row.against_baseline) and _is_told(row)
    ]


def smallest_shown(rows: Sequence[Row]) -> str | None:
    """What differences to the baseline the test split could show, as a sentence; None
    where that isn't known.
    """
    found = [
        part.smallest_shown
        for row in rows
        if (part := row.against_baseline) and part.smallest_shown
    ]
    if not found:
        return None
    low, high = f"{min(found):.3f}", f"{max(found):.3f}"
    span = low if low == high else f"{low} to {high}, depending on the row"
    return (
        "Smallest difference in macro-F1 to the baseline that so many test patients "
        f"could show, were trainings no source of chance (80 % power): {span}."
    )


def _is_told(row: Row) -> bool:
    return bool(row.done) and not (row.floor or row.controls)


def _clauses(row: Row, found: BaselineComparison) -> list[str]:
    compute = row.figure("relative_compute")
    said = []
    if row.audit == "flagged":
        said.append("⚠ its cost failed the audit")
    elif compute:
        said.append(f"{ratio(compute.mean)} the compute of the baseline")
    else:
        said.append("compute not measured")
    if found.difference:
        mean = f"{found.difference.mean:+.3f}"
        ends = "" if found.low is None else f", 95 % {interval(found, '+.3f')}"
        said.append(f"{_in_macro_f1(found.verdict)} ({mean}{ends})")
    else:
        said.append("macro-F1 not measured beside the baseline")
    if row.done < row.cells:
        said.append(f"{row.done} of {plural(row.cells, 'seed')} done")
    return said


def _in_macro_f1(verdict: str) -> str:
    few = verdict.startswith("too few")
    return f"{verdict} to tell macro-F1 apart" if few else f"{verdict} in macro-F1"
