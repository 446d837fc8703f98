"""Rows beside their controls, paired by seed."""

import pytest

from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite
from harness.report.render.markdown import to_markdown
from harness.report.render.terminal import summary_lines


def board(runs, ours, theirs):
    """The leaderboard of a row with these scores by seed, and of its control."""
    for seed, score in enumerate(ours):
        runs.done("dbpd", seed, score)
        beside = runs.cells[-1]["id"]
        if seed < len(theirs):
            runs.done("dbpd: random", seed, theirs[seed], role="control")
        else:
            runs.failed("dbpd: random", seed, role="control")
        runs.cells[-1]["controls"] = [{"of": beside, "name": "random"}]
    return build_leaderboard(read_suite(runs.suite(), "demo"))


def compared(found):
    (table,) = found.model_dump()["datasets"][0]["tables"]
    (comparison,) = table["comparisons"]
    return comparison


def test_the_interval_is_students(runs):
    # By hand: mean 0.04, spread 0.02, t(2) = 4.303: reach 4.303 * 0.02 / sqrt(3).
    found = compared(board(runs, [0.72, 0.74, 0.76], [0.70, 0.70, 0.70]))
    assert found["difference"]["mean"] == pytest.approx(0.04)
    assert found["high"] - 0.04 == pytest.approx(0.0497, abs=1e-4)
    assert 0.04 - found["low"] == pytest.approx(0.0497, abs=1e-4)
    assert (found["ahead"], found["verdict"]) == (3, "no measurable difference")
    assert (found["holds"], found["smallest_shown"]) == ("seeds", None)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ([0.80, 0.81, 0.82], [0.70, 0.71, 0.72], "better"),
        ([0.60, 0.61, 0.62], [0.70, 0.71, 0.72], "worse"),
        ([0.80, 0.81], [0.70, 0.71], "too few seeds"),
        ([0.80, 0.81, 0.82], [0.70, 0.71], "too few seeds"),
        ([0.80], [], "not measured"),
    ],
)
def test_a_verdict_needs_seeds_and_distance(runs, ours, theirs, verdict):
    assert compared(board(runs, ours, theirs))["verdict"] == verdict


def test_seeds_are_paired(runs):
    # Unpaired, the spread over seeds would hide the difference.
    found = compared(board(runs, [0.52, 0.72, 0.92], [0.50, 0.70, 0.90]))
    assert found["difference"]["spread"] == pytest.approx(0.0, abs=1e-9)
    assert found["verdict"] == "better"


def test_the_page_says_what_is_not_beaten(runs):
    page = to_markdown(board(runs, [0.72, 0.70, 0.71], [0.71, 0.71, 0.71]))
    assert "**dbpd** isn't shown to beat: random (+0.000 ± 0.010, 3 seeds)" in page
    assert "| dbpd " in page
    assert "no measurable difference" in page


def test_a_control_that_is_not_done_shows_so(runs):
    page = to_markdown(board(runs, [0.72], []))
    assert "not measured" in page
    assert "failed" in page


def test_a_faithful_row_is_never_ranked_without_its_footnote(runs):
    runs.done("dbpd", changes={"strategy.footnotes": ["it scores in train mode"]})
    runs.done("baseline", macro_f1=0.5)
    page = to_markdown(build_leaderboard(read_suite(runs.suite(), "demo")))
    (line,) = [x for x in page.splitlines() if "| dbpd " in x and "x |" in x]
    assert line.split("|")[1].strip() == "1 †"
    assert "- **dbpd**: † it scores in train mode" in page
    shown = summary_lines(build_leaderboard(read_suite(runs.suite(), "demo")))
    assert "† dbpd: it scores in train mode" in shown
