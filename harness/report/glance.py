"""A table in a few words: what each strategy buys, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.wording import escape, interval, plural, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEADING = "**At a glance**"

Row = dict[str, Any]


def glance_lines(table: Mapping[str, Any]) -> list[str]:
    """A sentence for each strategy that something was claimed for: its compute, and
    whether it is better or worse than the baseline; as lines of markdown.

    Controls, floors and the baseline have none: what they say is in the table.
    """
    return [
        f"- **{escape(row['strategy'])}**: {'; '.join(_clauses(row))}."
        for row in table["rows"]
        if _is_told(row)
    ]


def smallest_shown(rows: Sequence[Row]) -> str | None:
    """What differences to the baseline the test split could show, as a sentence; None
    where that isn't known.
    """
    found = [
        part["smallest_shown"]
        for row in rows
        if (part := row["against_baseline"]) and part["smallest_shown"]
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
    return not (
        row["floor"] or row["controls"] or row["against_baseline"] is None
    ) and bool(row["done"])


def _clauses(row: Row) -> list[str]:
    found, compute = row["against_baseline"], row["relative_compute"]
    said = []
    if row["audit"] == "flagged":
        said.append("⚠ its cost failed the audit")
    elif compute:
        said.append(f"{ratio(compute['mean'])} the compute of the baseline")
    else:
        said.append("compute not measured")
    if found["difference"]:
        mean = f"{found['difference']['mean']:+.3f}"
        ends = "" if found["low"] is None else f", 95 % {interval(found, '+.3f')}"
        said.append(f"{_in_macro_f1(found['verdict'])} ({mean}{ends})")
    else:
        said.append("macro-F1 not measured beside the baseline")
    if row["done"] < row["cells"]:
        said.append(f"{row['done']} of {plural(row['cells'], 'seed')} done")
    return said


def _in_macro_f1(verdict: str) -> str:
    few = verdict.startswith("too few")
    return f"{verdict} to tell macro-F1 apart" if few else f"{verdict} in macro-F1"
