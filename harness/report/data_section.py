"""The part of the page that says what a data set was made of."""

from __future__ import annotations

from typing import Any

from harness.report.blocks import grid
from harness.report.wording import NOT_MEASURED, escape, plural

MOST_CLASS_COLUMNS = 12
MOST_BAD_RECORDS = 10

_SPLITS = ("train", "validation", "test")


def data_section(dataset: dict[str, Any]) -> list[str]:
    """Version, label rule, classes, counts kept and left out, source: as blocks."""
    about = dataset["about"]
    heading = f"### Data of {escape(dataset['label'])}"
    if about is None:
        return [heading, "No cell is done."]
    lines = [
        f"- Data set: {escape(about['name'])}, plugin version {about['version']}; "
        f"fingerprint {', '.join(escape(f) for f in about['fingerprints'])}",
        f"- Label rule: {'; '.join(escape(rule) for rule in about['label_rules'])}",
        f"- Classes, in order: {_list(about['classes'])}",
        f"- Leads, in order: {_list(about['leads'])}",
        f"- Left out by the label rule: {_excluded(about['excluded'])}",
        f"- Left out as unusable: {_bad(about['bad_records'])}",
    ]
    lines += [
        f"- {key.capitalize()}: {escape(about[key])}"
        for key in ("license", "citation")
        if about[key]
    ]
    return [heading, "\n".join(lines), *_counts(about)]


def _list(names: list[str]) -> str:
    return ", ".join(escape(name) for name in names)


def _excluded(reasons: dict[str, int]) -> str:
    if not reasons:
        return "no record"
    parts = [f"{count:,} {escape(reason)}" for reason, count in sorted(reasons.items())]
    return f"{plural(sum(reasons.values()), 'record')} ({'; '.join(parts)})"


def _bad(records: list[dict[str, str]]) -> str:
    if not records:
        return "no record"
    shown = [
        f"{escape(bad['record'])}: {escape(bad['reason'])}"
        for bad in records[:MOST_BAD_RECORDS]
    ]
    more = len(records) - len(shown)
    rest = [f"and {more} more, listed in the JSON file"] if more else []
    return f"{plural(len(records), 'record')} ({'; '.join([*shown, *rest])})"


def _counts(about: dict[str, Any]) -> list[str]:
    """A table of records and patients by split, and by class where that's readable."""
    splits = [split for split in _SPLITS if split in about["counts"]]
    if not splits:
        return []
    classes = about["classes"] if len(about["classes"]) <= MOST_CLASS_COLUMNS else []
    rows = [
        [split, *_split_counts(about["counts"][split], classes)] for split in splits
    ]
    headers = ["split", "records", "patients", *(escape(name) for name in classes)]
    return [grid(rows, headers, ("split",))]


def _split_counts(counts: dict[str, Any], classes: list[str]) -> list[str]:
    values = [counts["records"], counts["patients"]]
    values += [counts["classes"].get(name) for name in classes]
    return [NOT_MEASURED if value is None else f"{value:,}" for value in values]
