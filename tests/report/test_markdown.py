"""What the page says, and that no name can break it."""

import re

import pytest

from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite
from harness.report.render.markdown import to_markdown
from harness.report.render.terminal import summary_lines


def page(runs, title="Demo"):
    return to_markdown(build_leaderboard(read_suite(runs.suite(title=title), "demo")))


def table(text):
    """Rows of the first tables, the main one and the one of other scores, as
    {strategy: {heading: cell}}.
    """
    found = {}
    for block in text.split("\n\n"):
        if not re.match(r"\| +# \|", block):
            continue
        heading, _, *rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in block.splitlines()
        ]
        for row in rows:
            cells = dict(zip(heading, row, strict=False))
            found.setdefault(cells["strategy"], {}).update(cells)
    return found


def test_figures_are_rounded_to_what_matters(runs):
    for seed, macro_f1 in enumerate([0.7, 0.713, 0.726]):
        runs.done("baseline", seed, macro_f1)
        runs.done(
            "dbpd",
            seed,
            macro_f1 - 0.005,
            changes={
                "cost.effective_epochs": 4.0217,
                "cost.flops.training": 5_657_000_000_000,
                "cost.sparsity": {"prunable": 0.9876, "all": 0.9},
            },
        )
    dbpd = table(page(runs))["dbpd"]
    assert dbpd == {
        "#": "2",
        "strategy": "dbpd",
        "macro-F1": "0.708 ± 0.013",
        "95 %": "0.676 to 0.740 ‡",
        "to the baseline": "-0.005 (-0.005 to -0.005 ‡)",
        "verdict": "worse",
        "accuracy": "0.808 ± 0.013",
        "macro AUROC": "0.858 ± 0.013",
        "mean average precision": "-",
        "calibration error": "-",
        "effective epochs": "4.02",
        "forward epochs": "20",
        "compute": "0.46x",
        "training FLOPs": "5.66 TFLOP",
        "sparsity": "98.8 %",
        "peak memory": "300 MiB",
        "training time": "75 s",
        "seeds done": "3/3",
    }


def test_what_a_budget_of_its_own_does_without_is_said(runs):
    runs.done("baseline", changes={"budget.clip_norm": 1.0, "budget.augment": ["x"]})
    runs.done("dbpd", changes={"budget.clip_norm": None, "budget.augment": []})
    assert "**dbpd**: own budget: augment none, clip_norm none" in page(runs)


def test_several_processes_are_said_with_what_they_change(runs):
    apart = {"provenance.processes": 2, "provenance.batch_independent": False}
    runs.done("baseline")
    runs.done("dbpd", changes=apart)
    assert "2 processes shared a cell" in page(runs)
    assert "BatchNorm's statistics and dropout are each process' own" in page(runs)


def test_every_row_has_as_many_cells_as_the_heading(runs):
    runs.done("baseline")
    runs.failed("dbpd")
    lines = [line for line in page(runs).splitlines() if line.startswith("| ")]
    assert len({line.count("|") for line in lines[:2]}) == 1


def test_what_is_not_measured_is_a_dash(runs):
    runs.done("a", changes={"cost": {}})
    row = table(page(runs))["a"]
    for heading in ("effective epochs", "compute", "training FLOPs", "peak memory"):
        assert row[heading] == "-"


def test_each_warning_is_a_note(runs):
    audit = {
        "status": "flagged",
        "largest_difference": 0.31,
        "findings": [{"where": "hook 'setup'", "counted": 5_000_000, "metered": 0}],
        "removed_hooks": ["stem"],
    }
    runs.done("a", 0, changes={"cost.audit": audit, "cost.not_counted": ["fft"]})
    runs.failed("a", 1, kind="out-of-memory", message="needed 12 GiB")
    runs.failed("a", 2, kind="out-of-memory", message="needed 12 GiB")
    runs.cell("b")
    text = page(runs)
    assert "**a**: seeds 1, 2 failed (out-of-memory): needed 12 GiB" in text
    assert "up to 31 %" in text
    assert "hook 'setup': 5 MFLOP counted, 0 FLOP metered; meter taken off stem" in text
    assert "**b**: seed 0 planned" in text
    assert "Fewer than 3 seeds" in text
    assert "Not counted in FLOPs: fft (a)" in text
    assert "No finished baseline" in text
    assert table(text)["a ⚠"]["seeds done"] == "1/3, 2 failed"


def test_floors_and_subsets_are_marked(runs):
    runs.done("baseline")
    runs.done(
        "majority", model=None, changes={"metrics.test.class_subsets": {"f1_nao": 0.5}}
    )
    row = table(page(runs))["majority (floor)"]
    assert row["f1_nao"] == "0.500"


def test_multi_label_rows_name_their_accuracies(runs):
    changes = {
        "dataset.task": "multi-label",
        "metrics.test.exact_match": 0.61,
        "metrics.test.label_accuracy": 0.92,
    }
    runs.done("a", changes=changes)
    row = table(page(runs))["a"]
    assert (row["exact match"], row["label accuracy"]) == ("0.610", "0.920")
    assert "accuracy" not in row


def test_tuned_thresholds_stand_beside_the_figure_that_rows_are_ranked_by(runs):
    for strategy, macro_f1, tuned in [("a", 0.5, 0.6), ("b", 0.4, 0.7)]:
        for seed in range(2):
            changes = {
                "dataset.task": "multi-label",
                "metrics.test_tuned": {"macro_f1": tuned, "thresholds": {"MI": 0.2}},
            }
            runs.done(strategy, seed, macro_f1, changes=changes)
    # What was judged before there were tuned thresholds has none.
    runs.done("c", 0, 0.3, changes={"dataset.task": "multi-label"})
    text = page(runs)
    rows = table(text)
    shown = ("macro-F1", "macro-F1, tuned thresholds")
    assert [tuple(rows[name][key] for key in shown) for name in "abc"] == [
        ("0.500 ± 0.000", "0.600 ± 0.000"),
        ("0.400 ± 0.000", "0.700 ± 0.000"),
        ("0.300", "-"),
    ]
    assert "maximises its F1 on the validation split" in text


def test_single_label_tables_have_no_tuned_thresholds(runs):
    runs.done("a")
    assert "tuned" not in page(runs)


def test_the_page_says_what_was_measured_on_what(runs):
    bad = [{"record": f"r{i}", "reason": "flat"} for i in range(12)]
    runs.done("a", changes={"dataset.bad_records": bad, "dataset.seconds": 10})
    text = page(runs)
    for part in (
        "216 test records of 200 patients",
        "± 0.067",
        "2 leads, 10 s at 100 Hz",
        "463 k weights",
        "optimizer adamw (lr 0.005",
        "fingerprint 9f86d081884c",
        "the diagnostic superclass of highest priority",
        "NORM, MI, STTC, CD, HYP",
        "31 records (31 no diagnostic superclass)",
        "12 records (r0: flat",
        "and 2 more",
        "torch: 2.13.0+cpu",
        "AMD EPYC 7B13",
        "sample standard deviation over seeds",
        "1 multiply-add = 2 FLOPs",
        "not comparable between machines",
    ):
        assert part in text


def test_synthetic_results_say_so(runs):
    runs.done("a", changes={"dataset.synthetic": True})
    assert "Synthetic results are synthetic" in page(runs)
    assert "2025-01-01" not in page(runs)


def test_real_results_do_not_say_synthetic(runs):
    runs.done("a")
    assert "ynthetic" not in page(runs)


def test_rows_on_different_data_are_warned_of(runs):
    runs.done("a")
    runs.done("b", changes={"dataset.fingerprint": "another"})
    assert "measured on different data" in page(runs)


HOSTILE = [
    "<script>alert(1)</script>",
    "a|b|c",
    "`code` ![x](http://x) [y](z)",
    "# heading\n\n## more",
    "*bold* _em_ ~~gone~~ \\| $x$ &lt;",
    "\x1b[31mred\x07",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(runs, name):
    runs.done(name, 0, dataset=name, model=name)
    runs.failed(name, 1, dataset=name, model=name, kind=name, message=name)
    text = page(runs, title=name)
    own = re.sub(r"</?(details|summary)>", "", text)
    assert not re.search(r"<\w|</|(?<!\\)[`\[]|\x1b|\x07", own)
    headings = [line for line in text.splitlines() if re.match(r"#+ ", line)]
    assert len(headings) == 7
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines[:3]}) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_cannot_steer_the_terminal(runs, name):
    runs.done(name, dataset=name, model=name)
    board = build_leaderboard(read_suite(runs.suite(), "demo"))
    lines = summary_lines(board)
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 4


def test_a_suite_without_results_has_a_page(runs):
    runs.cell("a")
    text = page(runs)
    assert "0 of 1 cells done, 1 planned" in text
    assert "No cell is done." in text


def test_a_suite_without_cells_has_a_page(runs):
    assert "0 of 0 cells done" in page(runs)


def test_the_terminal_shows_each_table(runs):
    for model in ("x", "y"):
        for seed in range(3):
            runs.done("baseline", seed, 0.71, model=model)
    runs.done("majority", model=None)
    board = build_leaderboard(read_suite(runs.suite(), "demo"))
    text = "\n".join(summary_lines(board))
    assert "ptbxl · x" in text
    assert "ptbxl · y" in text
    assert "0.710 ± 0.000" in text
    assert "majority (floor)" in text
