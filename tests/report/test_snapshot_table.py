"""Rounds and revisions on the page."""

import re

from pruning_rows import add_dropping, add_pruned, size, snapshot

from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite
from harness.report.render.markdown import to_markdown


def page(runs):
    return to_markdown(build_leaderboard(read_suite(runs.suite(), "demo")))


def tables(text):
    """Rows of each table, the heading first."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [
        [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in table.splitlines()
            if not set(line) <= set("|:- ")
        ]
        for table in found
    ]


def table_with(text, heading):
    return next(table for table in tables(text) if heading in table[0])


def test_a_row_with_rounds_has_a_table_that_folds_away(runs):
    for seed, quality in enumerate([0.6, 0.7]):
        add_pruned(runs, seed=seed, quality=quality)
    runs.done("baseline")
    text = page(runs)
    heading, *rounds = table_with(text, "round")
    assert [dict(zip(heading, one, strict=True)) for one in (rounds[0], rounds[2])] == [
        {
            "round": "0",
            "reduction factor": "1x",
            "sparsity": "0 %",
            "macro-F1": "0.650 ± 0.071",
            "before retraining": "-",
            "stored": "6.05 KiB",
            "sparse MACs": "64 k",
            "dense MACs": "64 k",
            "latency": "2.5 ms",
        },
        {
            "round": "2",
            "reduction factor": "4x",
            "sparsity": "75 %",
            "macro-F1": "0.650 ± 0.071",
            "before retraining": "0.350 ± 0.071",
            "stored": "1.66 KiB",
            "sparse MACs": "16 k",
            "dense MACs": "64 k",
            "latency": "2.5 ms",
        },
    ]
    assert text.count("<details>") == text.count("</details>")
    assert text.count("<summary>ticket: 3 rounds</summary>\n\n|") == 1
    assert "unstructured zeros make nothing faster" in text


def test_a_strategy_that_names_its_snapshots_otherwise_has_one_too(runs):
    kept = [snapshot("dense", 0.7, size(1000), round=0)]
    kept += [snapshot("retrained", 0.6, size(500, built=500), round=1)]
    runs.done("slim", changes={"snapshots": kept})
    _, *rounds = table_with(page(runs), "round")
    assert [one[:4] for one in rounds] == [
        ["0", "1x", "0 %", "0.700"],
        ["1", "2x", "0 %", "0.600"],
    ]


def test_rows_without_rounds_have_none(runs):
    runs.done("baseline")
    add_dropping(runs)
    assert "rounds</summary>" not in page(runs)
    assert "Round by round" not in page(runs)


def test_both_sides_of_a_revision_stand_side_by_side(runs):
    for seed in range(2):
        add_dropping(runs, seed=seed)
    runs.done("baseline")
    assert table_with(page(runs), "before revision") == [
        ["strategy", "before revision", "after revision"],
        ["dbpd", "0.610 ± 0.000", "0.710 ± 0.000"],
    ]


def test_names_cannot_break_out_of_the_fold(runs):
    add_pruned(runs, "a</summary><script>\\_b_ [x](y) | z")
    text = page(runs)
    assert "<script>" not in text
    assert "a&#60;/summary&#62;&#60;script&#62;&#92;&#95;b&#95; &#91;x&#93;(y)" in text
