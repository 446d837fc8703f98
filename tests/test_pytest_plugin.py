"""Leaderboards in pytest: a suite's rows as tests, and what tests may state."""

import json
import os
import shutil
from pathlib import Path

import pytest
from runs_folder import RunsFolder

from harness.errors import ConfigError
from harness.report.write import write_leaderboard
from harness.testing import assert_cost_not_above, assert_not_below, read_leaderboard

pytest_plugins = ["pytester"]


@pytest.fixture
def board(tmp_path):
    """Writes the JSON file of a leaderboard with the rows given; a Leaderboard."""

    def write(name, rows, changes=None):
        runs = RunsFolder(tmp_path / name)
        for strategy, scores in rows.items():
            for seed, score in enumerate(scores):
                runs.done(strategy, seed, score, changes=changes)
        _, data = write_leaderboard(runs.suite(), "demo", tmp_path / f"{name}-board")
        return read_leaderboard(data)

    return write


def test_a_row_has_the_means_of_its_seeds(board):
    rows = board("base", {"baseline": (0.7, 0.8), "dbpd": (0.6, 0.6)})

    row = rows.row("baseline", model="resnet1d")
    assert row.macro_f1 == pytest.approx(0.75)
    assert row.training_flops == 12_300_000_000_000
    assert (row.effective_epochs, row.peak_memory_bytes) == (20, 314_572_800)
    assert {str(r) for r in rows.rows} == {
        "ptbxl · resnet1d · baseline",
        "ptbxl · resnet1d · dbpd",
    }
    with pytest.raises(ConfigError, match="did you mean 'dbpd'"):
        rows.row("dpbd")
    with pytest.raises(ConfigError, match="no such row"):
        rows.row("dbpd", model="cnn1d")


def test_macro_f1_must_not_fall_below_the_interval(board):
    committed = board("base", {"dbpd": (0.7, 0.72, 0.71)}).row("dbpd")
    noisy = board("noisy", {"dbpd": (0.72, 0.68, 0.72)}).row("dbpd")
    worse = board("worse", {"dbpd": (0.6, 0.63, 0.61)}).row("dbpd")

    assert_not_below(committed, committed)
    assert_not_below(noisy, committed)
    assert_not_below(committed, worse)
    assert_not_below(worse, committed, by=0.2)
    with pytest.raises(AssertionError, match=r"macro-F1 fell by 0\.097"):
        assert_not_below(worse, committed)


def test_what_cannot_be_judged_is_no_success(board):
    committed = board("base", {"dbpd": (0.7, 0.72)}).row("dbpd")
    few = board("few", {"dbpd": (0.69, 0.71)}).row("dbpd")
    changes = {"dataset.fingerprint": "00"}
    other = board("other", {"dbpd": (0.7, 0.72)}, changes).row("dbpd")

    with pytest.raises(AssertionError, match="too few seeds"):
        assert_not_below(few, committed)
    with pytest.raises(AssertionError, match="other data"):
        assert_not_below(other, committed)


def test_costs_must_not_rise_by_more_than_is_said(board):
    committed = board("base", {"dbpd": (0.7,)}).row("dbpd")
    flops = {"cost.flops.training": int(12_300_000_000_000 * 1.02)}
    dearer = board("dearer", {"dbpd": (0.7,)}, flops).row("dbpd")
    unknown = board("unknown", {"dbpd": (0.7,)}, {"cost.flops": None}).row("dbpd")

    assert_cost_not_above(committed, committed)
    assert_cost_not_above(committed, dearer)
    assert_cost_not_above(dearer, committed, by=0.03)
    assert_cost_not_above(dearer, committed, "effective_epochs", by=0.0)
    with pytest.raises(AssertionError, match=r"training_flops rose .* 1 % is let pass"):
        assert_cost_not_above(dearer, committed)
    with pytest.raises(AssertionError, match="isn't measured on both sides"):
        assert_cost_not_above(unknown, committed)


@pytest.fixture
def project(pytester, tiny_run, shared_cache, monkeypatch):
    """A project with the finished suite `tiny`, whose results are gone on from."""
    monkeypatch.setenv("HARNESS_CACHE", str(shared_cache))
    path = os.pathsep.join(
        filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")])
    )
    monkeypatch.setenv("PYTHONPATH", path)
    root = pytester.path
    shutil.copytree(tiny_run.runs, root / "runs")
    shutil.copytree(tiny_run.leaderboard, root / "leaderboard")
    shutil.copy(tiny_run.suite, root / "tiny.toml")

    def run(*arguments):
        plugins = ("-p", "harness.pytest_plugin", "-p", "no:cacheprovider")
        return pytester.runpytest_inprocess(
            *plugins, "--harness-runs", "runs", *arguments
        )

    run.root = root
    return run


def test_rows_of_a_suite_are_tests(project):
    path = project.root / "leaderboard" / "tiny.json"
    committed = json.loads(path.read_text())
    for row in committed["datasets"][0]["tables"][0]["rows"]:
        for seed in row["seeds"]:
            if row["strategy"] == "baseline":
                seed["training_flops"] //= 2
    path.write_text(json.dumps(committed))
    (project.root / "test_other.py").write_text("def test_other(): assert False\n")

    ended = project("--harness-suite", "tiny.toml", "-v")

    # Those that are as they were pass; of one seed, a cost can be judged.
    ended.assert_outcomes(passed=2, failed=1)
    ended.stdout.fnmatch_lines(
        ["*synthetic · cnn1d · baseline: training FLOPs rose by 100 %*"]
    )
    assert "Traceback" not in ended.stdout.str()


def test_without_a_committed_leaderboard_it_says_so(project):
    shutil.rmtree(project.root / "leaderboard")

    ended = project("--harness-suite", "tiny.toml")

    ended.assert_outcomes(errors=1)
    ended.stdout.fnmatch_lines(["*tiny.json: no such runs folder or file*"])


def test_a_fixture_gives_leaderboards(project):
    (project.root / "test_mine.py").write_text(
        """
from harness.testing import assert_cost_not_above

def test_costs(harness_leaderboard):
    measured = harness_leaderboard("tiny.toml")
    assert harness_leaderboard("tiny.toml") is measured
    committed = harness_leaderboard("leaderboard/tiny.json")
    row = measured.row("dbpd", model="cnn1d")
    assert row.macro_f1 == committed.row("dbpd").macro_f1
    assert_cost_not_above(row, committed.row("dbpd"), by=0.0)
"""
    )

    project().assert_outcomes(passed=1)


def test_a_suite_that_cannot_be_run_fails_each_row_once(project):
    suite = project.root / "tiny.toml"
    suite.write_text(suite.read_text().replace('"dbpd"', '"dpbd"'))

    ended = project("--harness-suite", "tiny.toml")

    ended.assert_outcomes(failed=3)
    ended.stdout.fnmatch_lines(["*can't be measured: *did you mean 'dbpd'?*"])
