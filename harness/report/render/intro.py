"""What a report says in words around its tables, as markdown blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.render.blocks import grid
from harness.report.render.columns import RANK, Column, columns_for
from harness.report.render.format import (
    NOT_MEASURED,
    engineering,
    escape,
    plural,
    settings,
)
from harness.report.render.notes import failure_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.board.board import (
        Board,
        BoardProvenance,
        CellOfRow,
        DataAbout,
        DatasetTables,
        Table,
    )
    from harness.results.schema import BadRecord, ChunksPart, SplitCounts

LEGEND_INTRO = (
    "± is the spread: the sample standard deviation over seeds. - means not measured."
)


def introduction(leaderboard: Board) -> str:
    """What the suite is, and how far it has come."""
    states = leaderboard.states
    total = sum(states.values())
    others = [f"{n} {state}" for state, n in sorted(states.items()) if state != "done"]
    progress = ", ".join([f"{states.get('done', 0)} of {total} cells done", *others])
    return (
        f"Training strategies ranked by macro-F1 on the test split (mean ± spread over "
        f"seeds), with what each cost to train. Suite "
        f"{escape(leaderboard.suite)}: {progress}."
    )


def synthetic_notice(leaderboard: Board) -> list[str]:
    """That some records are generated, where some are; else nothing."""
    names = [
        escape(dataset.label)
        for dataset in leaderboard.datasets
        if dataset.about and dataset.about.synthetic
    ]
    if not names:
        return []
    return [
        f"> **Synthetic results are synthetic.** The records of {', '.join(names)} are "
        f"generated: they show that the method and the meter work, and say nothing of "
        f"patients."
    ]


def dataset_columns(dataset: DatasetTables) -> list[Column]:
    """The columns of a data set's tables."""
    rows = [row for table in dataset.tables for row in table.rows]
    subsets = sorted({name for row in rows for name in row.class_subsets})
    return columns_for(dataset.about.task if dataset.about else None, subsets)


def measured_on(about: DataAbout) -> str:
    """On how much of what a data set's rows were judged."""
    length = about.seconds
    seconds = "whole records" if not isinstance(length, float) else f"{length:g} s"
    signals = (
        f"{plural(len(about.leads), 'lead')}, {seconds} "
        f"at {about.sampling_rate:g} Hz{_judged_in(about.chunks)}"
    )
    task = f"{about.task}, {plural(len(about.classes), 'class', 'es')}"
    return f"{_test_size(about.counts.get('test'))}; {signals}; {task}."


def _judged_in(chunks: ChunksPart | None) -> str:
    if chunks is None:
        return ""
    word = {"mean": "mean", "max": "largest"}[chunks.combine]
    return (
        f" (longer test records: a window every {chunks.stride_seconds:g} s, the "
        f"{word} of their probabilities)"
    )


def _test_size(test: SplitCounts | None) -> str:
    if not test or not test.records:
        return "Test split of unknown size"
    patients = test.patients
    of = "" if patients is None else f" of {plural(patients, 'patient')}"
    margin = 1.96 * math.sqrt(0.25 / test.records)
    return (
        f"Measured on {plural(test.records, 'test record')}{of}, so that a share "
        f"such as the accuracy is uncertain by up to ± {margin:.3f} (95 %, at 0.5)"
    )


def mixed_data_warning(about: DataAbout) -> list[str]:
    """That cells saw different data, where they did; else nothing."""
    if len(about.fingerprints) == 1 and len(about.label_rules) == 1:
        return []
    return [
        "> **⚠ These cells were measured on different data** (see the fingerprints "
        "below): their rows must not be compared."
    ]


def training_line(table: Table) -> list[str]:
    """How large the network is, and what its rows may spend."""
    parts = []
    if table.parameters:
        weights = engineering(table.parameters, "").strip()
        parts.append(f"Network of {weights} weights.")
    if table.budget:
        parts.append(f"Budget: {escape(settings(table.budget))}.")
    return [" ".join(parts)] if parts else []


def unfinished_required(required: Sequence[CellOfRow]) -> list[str]:
    """Which required cells aren't done, and why."""
    if not required:
        return []
    lines = [
        f"- {escape(cell.strategy)}, seed {cell.seed}: {failure_line(cell)}"
        for cell in required
    ]
    return ["## Required cells that aren't done", "\n".join(lines)]


def column_heading(column: Column) -> str:
    """A heading, escaped."""
    # It begins no heading where it stands, and reads better as it is.
    return RANK if column.heading == RANK else escape(column.heading)


def legend(leaderboard: Board) -> str:
    """What each column of any table means."""
    meanings: dict[str, str] = {}
    for dataset in leaderboard.datasets:
        for column in dataset_columns(dataset):
            meanings.setdefault(column_heading(column), column.meaning)
    lines = [f"- **{heading}**: {meaning}." for heading, meaning in meanings.items()]
    return "\n".join([LEGEND_INTRO, "", *lines])


def provenance_lines(provenance: BoardProvenance) -> str:
    """Every version, precision and machine that results came from."""
    known = {
        "harness": provenance.harness,
        "Python": provenance.python,
        "torch": provenance.torch,
        "Hardware": provenance.hardware,
        "Device": provenance.device_type,
        "CPU threads of a cell": provenance.threads,
        "Precision": provenance.precision,
    }
    lines = [
        f"- {title}: {', '.join(map(escape, values))}"
        for title, values in known.items()
        if values
    ]
    plugins = [
        f"{escape(name)} {' and '.join(escape(value[:12]) for value in hashes)}"
        for name, hashes in provenance.plugins.items()
    ]
    if plugins:
        lines.append(f"- Plugin sources: {', '.join(plugins)}")
    return "\n".join(lines) or "No cell is done."


MOST_CLASS_COLUMNS = 12
MOST_BAD_RECORDS = 10

_SPLITS = ("train", "validation", "test")


def data_section(dataset: DatasetTables) -> list[str]:
    """Version, label rule, classes, counts kept and left out, source: as blocks."""
    about = dataset.about
    heading = f"### Data of {escape(dataset.label)}"
    if about is None:
        return [heading, "No cell is done."]
    lines = [
        f"- Data set: {escape(about.name)}, plugin version {about.version}; "
        f"fingerprint {', '.join(escape(f) for f in about.fingerprints)}",
        f"- Label rule: {'; '.join(escape(rule) for rule in about.label_rules)}",
        f"- Classes, in order: {_list(about.classes)}",
        f"- Leads, in order: {_list(about.leads)}",
        f"- Left out by the label rule: {_excluded(about.excluded)}",
        f"- Left out as unusable: {_bad(about.bad_records)}",
    ]
    lines += [f"- License: {escape(about.license)}"] if about.license else []
    lines += [f"- Citation: {escape(about.citation)}"] if about.citation else []
    return [heading, "\n".join(lines), *_counts(about)]


def _list(names: list[str]) -> str:
    return ", ".join(escape(name) for name in names)


def _excluded(reasons: dict[str, int]) -> str:
    if not reasons:
        return "no record"
    parts = [f"{count:,} {escape(reason)}" for reason, count in sorted(reasons.items())]
    return f"{plural(sum(reasons.values()), 'record')} ({'; '.join(parts)})"


def _bad(records: Sequence[BadRecord]) -> str:
    if not records:
        return "no record"
    shown = [
        f"{escape(bad.record)}: {escape(bad.reason)}"
        for bad in records[:MOST_BAD_RECORDS]
    ]
    more = len(records) - len(shown)
    rest = [f"and {more} more, listed in the JSON file"] if more else []
    return f"{plural(len(records), 'record')} ({'; '.join([*shown, *rest])})"


def _counts(about: DataAbout) -> list[str]:
    """A table of records and patients by split, and by class where that's readable."""
    splits = [split for split in _SPLITS if split in about.counts]
    if not splits:
        return []
    classes = about.classes if len(about.classes) <= MOST_CLASS_COLUMNS else []
    rows = [[split, *_split_counts(about.counts[split], classes)] for split in splits]
    headers = ["split", "records", "patients", *(escape(name) for name in classes)]
    return [grid(rows, headers, ("split",))]


def _split_counts(counts: SplitCounts, classes: list[str]) -> list[str]:
    values = [counts.records, counts.patients]
    values += [counts.classes.get(name) for name in classes]
    return [NOT_MEASURED if value is None else f"{value:,}" for value in values]
