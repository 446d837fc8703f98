"""A multi-label cell is judged at 0.5, and at thresholds from its validation split."""

import json
import shutil

import numpy as np
import pytest
from suites_to_run import run as run_harness

from harness.metrics.metrics import evaluate_at_thresholds
from harness.metrics.thresholds import best_thresholds
from harness.plan.plan import make_plan
from harness.results.requirement import Requirement
from harness.suite.resolve import read_suite

SUITE = """
name = "findings"

[budget]
epochs = 2
batch_size = 16
negative_weight = 0.1

[[dataset]]
use = "synthetic"
task = "multi-label"
records = 60
duration = 2.0

[[model]]
use = "cnn1d"
width = 4

[[strategy]]
use = "dbpd"
confidence = 0.9
controls = false
"""
HEADING = "macro-F1, tuned thresholds"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    (folder / "findings.toml").write_text(SUITE)
    run_harness("run", "findings.toml", cwd=folder)
    return folder


@pytest.fixture
def cell(folder):
    (path,) = folder.rglob("result.json")
    return path.parent


@pytest.fixture
def result(cell):
    return json.loads((cell / "result.json").read_text())


def test_thresholds_are_those_of_validation_and_figures_those_of_test(cell, result):
    tuned, classes = result["metrics"]["test_tuned"], result["dataset"]["classes"]
    with np.load(cell / "predictions.npz") as kept:
        validation, test = (
            (kept[f"{split}_probabilities"], kept[f"{split}_labels"])
            for split in ("validation", "test")
        )
    assert tuned["thresholds"] == best_thresholds(*validation, classes)
    assert set(tuned["thresholds"].values()) != {0.5}
    limits = {name: tuned["thresholds"][name] for name in classes}
    assert tuned == evaluate_at_thresholds(*test, limits, {})
    assert tuned["macro_f1"] != result["metrics"]["test"]["macro_f1"]


def test_snapshots_are_judged_in_both_ways(result):
    judged = [snapshot["test_tuned"] for snapshot in result["snapshots"]]
    assert len(judged) == 2
    for tuned in judged:
        assert set(tuned["thresholds"]) == set(result["dataset"]["classes"])
        assert 0 <= tuned["macro_f1"] <= 1


def test_the_leaderboard_shows_both_and_ranks_by_one(folder, result):
    board = json.loads((folder / "leaderboard" / "findings.json").read_text())
    (table,) = board["datasets"][0]["tables"]
    (row,) = table["rows"]
    metrics = result["metrics"]
    assert row["macro_f1"]["mean"] == metrics["test"]["macro_f1"]
    assert row["macro_f1_tuned"]["mean"] == metrics["test_tuned"]["macro_f1"]
    page = (folder / "leaderboard" / "findings.md").read_text()
    assert f" {HEADING} |" in page
    assert f"- **{HEADING}**: " in page


def test_single_label_cells_have_no_thresholds(tiny_run):
    result = json.loads((tiny_run.cell("dbpd") / "result.json").read_text())
    assert "thresholds" not in json.dumps(result)
    assert HEADING not in (tiny_run.leaderboard / "tiny.md").read_text()


def test_a_strategy_never_sees_figures_of_the_test_split(folder):
    suite = read_suite(folder / "findings.toml")
    (planned,) = make_plan(*suite, folder / "runs").cells
    cell = planned.cell
    seen = Requirement(cell, cell.id, folder / "runs" / cell.folder).result()
    assert set(seen["metrics"]) == {"validation"}
    assert seen["snapshots"] == []


def test_saved_weights_are_scored_in_both_ways(harness, torch_as_before, cell, result):
    for weights in (cell, cell / "model.safetensors"):
        found = json.loads(harness("evaluate", weights, "--json").out)
        assert found["metrics"] == result["metrics"]["test"]
        assert found["tuned"] == result["metrics"]["test_tuned"]


def test_a_table_shows_each_threshold(harness, torch_as_before, cell, result):
    out = harness("evaluate", cell).out
    _, tuned = out.split("at the thresholds chosen on the cell's validation split")
    assert "threshold" in tuned
    for name, threshold in result["metrics"]["test_tuned"]["thresholds"].items():
        assert f"{name:<5}" in tuned
        assert f"{threshold:.4f}" in tuned


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (None, ""),
        ({"cell": "0" * 12}, ""),
        ({"metrics": {"test": {}}}, ""),
        ({"metrics": {"test_tuned": {"thresholds": {"AF": 0.5}}}}, "its classes"),
        ({"metrics": {"test_tuned": {"thresholds": ["AF"]}}}, "test_tuned.thresholds"),
    ],
)
def test_weights_without_their_result_are_scored_at_one_half(
    harness, torch_as_before, cell, result, tmp_path, change, warning
):
    """Or beside a result that is another's, of an earlier version, or damaged."""
    shutil.copy(cell / "model.safetensors", tmp_path)
    if change is not None:
        (tmp_path / "result.json").write_text(json.dumps({**result, **change}))
    ended = harness("evaluate", tmp_path, "--json")
    assert ended.code == 0
    assert "tuned" not in json.loads(ended.out)
    assert warning in ended.err
    assert bool(warning) == ("no tuned thresholds" in ended.err)
