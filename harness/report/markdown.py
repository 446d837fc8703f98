"""A leaderboard as a markdown page that reads well on GitHub and as plain text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from harness.report.columns import Column, columns_for
from harness.report.comparison_table import comparison_blocks
from harness.report.data_section import data_section
from harness.report.leads_table import leads_blocks
from harness.report.notes import failure_line, table_notes
from harness.report.required_table import required_blocks
from harness.report.rounds_table import revision_blocks, rounds_blocks
from harness.report.wording import engineering, escape, plural, settings

Links = Sequence[tuple[str, str]]
Plots = Mapping[tuple[str, str | None], Links]

PICTURED = "quality"
"""The kind of plot that stands on the page: of the last of them."""
LEGEND_INTRO = (
    "± is the spread: the sample standard deviation over seeds. It doesn't hold the "
    "uncertainty that comes from the size of the test split. - means not measured."
)


def to_markdown(
    leaderboard: dict[str, Any], plots: Plots | None = None, leads: Links = ()
) -> str:
    """The page: a pure function of `build_leaderboard`'s value.

    Parameters
    ----------
    plots
        Titles and relative paths of the plots of each table, by the labels of its data
        set and its model.
    leads
        Alternative texts and relative paths of the charts by lead.
    """
    blocks = [
        f"# {escape(leaderboard['title'])}",
        _introduction(leaderboard),
        *_synthetic_notice(leaderboard),
        *leads_blocks(leaderboard.get("leads", []), leads),
    ]
    for dataset in leaderboard["datasets"]:
        blocks += _dataset_blocks(dataset, plots or {})
    blocks += _required_blocks(leaderboard["required"])
    blocks += ["## What the columns mean", _legend(leaderboard)]
    blocks += ["## What was measured on what"]
    for dataset in leaderboard["datasets"]:
        blocks += data_section(dataset)
    blocks += ["### Software and hardware", _provenance(leaderboard["provenance"])]
    return "\n\n".join(blocks) + "\n"


def _introduction(leaderboard: dict[str, Any]) -> str:
    states = leaderboard["states"]
    total = sum(states.values())
    others = [f"{n} {state}" for state, n in sorted(states.items()) if state != "done"]
    progress = ", ".join([f"{states.get('done', 0)} of {total} cells done", *others])
    return (
        f"Training strategies ranked by macro-F1 on the test split (mean ± spread over "
        f"seeds), with what each cost to train. Suite "
        f"{escape(leaderboard['suite'])}: {progress}."
    )


def _synthetic_notice(leaderboard: dict[str, Any]) -> list[str]:
    names = [
        escape(dataset["label"])
        for dataset in leaderboard["datasets"]
        if dataset["about"] and dataset["about"]["synthetic"]
    ]
    if not names:
        return []
    return [
        f"> **Synthetic results are synthetic.** The records of {', '.join(names)} are "
        f"generated: they show that the method and the meter work, and say nothing of "
        f"patients."
    ]


def _dataset_blocks(dataset: dict[str, Any], plots: Plots) -> list[str]:
    about = dataset["about"]
    blocks = [f"## {escape(dataset['label'])}"]
    if about:
        blocks.append(_measured_on(about))
        blocks += _mixed_data_warning(about)
    columns = _dataset_columns(dataset)
    for table in dataset["tables"]:
        links = plots.get((dataset["label"], table["model"]), ())
        blocks += _table_blocks(dataset["label"], table, columns, links)
    return blocks


def _dataset_columns(dataset: dict[str, Any]) -> list[Column]:
    rows = [row for table in dataset["tables"] for row in table["rows"]]
    subsets = sorted({name for row in rows for name in row["class_subsets"]})
    return columns_for(dataset["about"] and dataset["about"]["task"], subsets)


def _measured_on(about: dict[str, Any]) -> str:
    length = about["seconds"]
    seconds = "whole records" if not isinstance(length, float) else f"{length:g} s"
    signals = (
        f"{plural(len(about['leads']), 'lead')}, {seconds} "
        f"at {about['sampling_rate']:g} Hz{_judged_in(about['chunks'])}"
    )
    task = f"{about['task']}, {plural(len(about['classes']), 'class', 'es')}"
    return f"{_test_size(about['counts'].get('test'))}; {signals}; {task}."


def _judged_in(chunks: dict[str, Any] | None) -> str:
    if chunks is None:
        return ""
    word = {"mean": "mean", "max": "largest"}[chunks["combine"]]
    return (
        f" (longer test records: a window every {chunks['stride_seconds']:g} s, the "
        f"{word} of their probabilities)"
    )


def _test_size(test: dict[str, Any] | None) -> str:
    if not test or not test["records"]:
        return "Test split of unknown size"
    patients = test["patients"]
    of = "" if patients is None else f" of {plural(patients, 'patient')}"
    margin = 1.96 * math.sqrt(0.25 / test["records"])
    return (
        f"Measured on {plural(test['records'], 'test record')}{of}, so that a share "
        f"such as the accuracy is uncertain by up to ± {margin:.3f} (95 %, at 0.5)"
    )


def _mixed_data_warning(about: dict[str, Any]) -> list[str]:
    if len(about["fingerprints"]) == 1 and len(about["label_rules"]) == 1:
        return []
    return [
        "> **⚠ These cells were measured on different data** (see the fingerprints "
        "below): their rows must not be compared."
    ]


def _table_blocks(
    dataset: str, table: dict[str, Any], columns: list[Column], plots: Links
) -> list[str]:
    model = "no model" if table["model"] is None else escape(table["model"])
    cells = [[column.show(row) for column in columns] for row in table["rows"]]
    grid = tabulate(
        cells,
        headers=[column.heading for column in columns],
        tablefmt="pipe",
        colalign=[column.align for column in columns],
        disable_numparse=True,
    )
    notes = [f"- {note}" for note in table_notes(table)]
    blocks = [f"### {escape(dataset)} · {model}", *_training(table), grid]
    blocks += ["\n".join(notes)] if notes else []
    blocks += required_blocks(table["rows"])
    blocks += comparison_blocks(table["comparisons"])
    blocks += [*revision_blocks(table["rows"]), *rounds_blocks(table["rows"])]
    return [*blocks, *_plot_blocks(plots)]


def _plot_blocks(plots: Links) -> list[str]:
    """The picture that tells most, and where the others are."""
    pictures = [(t, path) for t, path in plots if t.startswith(PICTURED)][-1:]
    shown = [f"![{escape(title)}]({path})" for title, path in pictures]
    links = [f"[{escape(t)}]({path})" for t, path in plots if (t, path) not in pictures]
    return [*shown, f"Plots: {', '.join(links)}."] if links else shown


def _training(table: dict[str, Any]) -> list[str]:
    parts = []
    if table["parameters"]:
        weights = engineering(table["parameters"], "").strip()
        parts.append(f"Network of {weights} weights.")
    if table["budget"]:
        parts.append(f"Budget: {escape(settings(table['budget']))}.")
    return [" ".join(parts)] if parts else []


def _required_blocks(required: list[dict[str, Any]]) -> list[str]:
    if not required:
        return []
    lines = [
        f"- {escape(cell['strategy'])}, seed {cell['seed']}: {failure_line(cell)}"
        for cell in required
    ]
    return ["## Required cells that aren't done", "\n".join(lines)]


def _legend(leaderboard: dict[str, Any]) -> str:
    meanings: dict[str, str] = {}
    for dataset in leaderboard["datasets"]:
        for column in _dataset_columns(dataset):
            meanings.setdefault(column.heading, column.meaning)
    lines = [f"- **{heading}**: {meaning}." for heading, meaning in meanings.items()]
    return "\n".join([LEGEND_INTRO, "", *lines])


def _provenance(provenance: dict[str, Any]) -> str:
    titles = {
        "harness": "harness",
        "python": "Python",
        "torch": "torch",
        "hardware": "Hardware",
        "device_type": "Device",
        "threads": "CPU threads of a cell",
        "precision": "Precision",
    }
    lines = [
        f"- {title}: {', '.join(escape(value) for value in provenance[key])}"
        for key, title in titles.items()
        if provenance[key]
    ]
    plugins = [
        f"{escape(name)} {' and '.join(escape(value[:12]) for value in hashes)}"
        for name, hashes in provenance["plugins"].items()
    ]
    if plugins:
        lines.append(f"- Plugin sources: {', '.join(plugins)}")
    return "\n".join(lines) or "No cell is done."
