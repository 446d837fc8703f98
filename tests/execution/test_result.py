"""What a finished cell leaves, and that it hangs together."""

import json

import numpy as np
import pytest
from commands_here import run as run_harness
from safetensors import safe_open

from harness.metrics.metrics import evaluate_probabilities

FILES = {
    "cell.json",
    "result.json",
    "measured.json",
    "history.jsonl",
    "predictions.npz",
    "model.safetensors",
    "curves.svg",
    "log.txt",
    ".released-1",
}


def result_of(tiny_run, strategy):
    return json.loads((tiny_run.cell(strategy) / "result.json").read_text())


@pytest.mark.parametrize("strategy", ["baseline", "dbpd"])
def test_a_finished_cell_leaves_these_files_and_no_others(tiny_run, strategy):
    names = {path.name for path in tiny_run.cell(strategy).iterdir()}
    dropped = {"kept.npz"} if strategy == "dbpd" else set()
    assert names - {"snapshots"} == FILES | dropped


@pytest.mark.parametrize("strategy", ["majority", "baseline", "dbpd"])
@pytest.mark.parametrize("split", ["test", "validation"])
def test_metrics_follow_from_the_predictions(tiny_run, strategy, split):
    result = result_of(tiny_run, strategy)
    with np.load(tiny_run.cell(strategy) / "predictions.npz") as predictions:
        ids = predictions[f"{split}_records"]
        again = evaluate_probabilities(
            predictions[f"{split}_probabilities"],
            predictions[f"{split}_labels"],
            result["dataset"]["classes"],
            "single-label",
            {},
        )
    assert again == result["metrics"][split]
    assert len(set(ids)) == len(ids) == result["dataset"]["counts"][split]["records"]


def test_no_patient_is_in_two_splits(tiny_run):
    with np.load(tiny_run.cell("baseline") / "predictions.npz") as predictions:
        test, validation = (
            set(predictions[f"{split}_patients"]) for split in ("test", "validation")
        )
    assert not test & validation


def test_weights_alone_say_what_they_are(tiny_run):
    cell = json.loads((tiny_run.cell("dbpd") / "cell.json").read_text())
    path = tiny_run.cell("dbpd") / "model.safetensors"
    with safe_open(path, "np") as weights:
        assert json.loads(weights.metadata()["harness_cell"]) == cell


def test_what_differs_from_run_to_run_stands_apart(tiny_run):
    result = (tiny_run.cell("baseline") / "result.json").read_text()
    measured = json.loads((tiny_run.cell("baseline") / "measured.json").read_text())
    assert "seconds" not in json.loads(result)["cost"]
    assert measured["attempts"] == 1
    assert measured["seconds"]["training"] > 0
    assert measured["energy_joules"] is None
    assert measured["peak_rss_bytes"] > 2**20


def test_a_floor_costs_nothing_and_says_so(tiny_run):
    cost = result_of(tiny_run, "majority")["cost"]
    assert cost["flops"]["training"] == 0
    assert cost["effective_epochs"] == 0
    assert cost["peak_memory_bytes"] is None


def test_dbpd_has_its_weights_around_the_revision_judged(tiny_run):
    snapshots = result_of(tiny_run, "dbpd")["snapshots"]
    assert [s["name"] for s in snapshots] == ["before-revision", "after-revision"]
    assert all(0 <= s["test"]["macro_f1"] <= 1 for s in snapshots)


def test_no_place_on_this_machine_is_in_what_is_shared(tiny_run):
    for name in ("result.json", "cell.json", "curves.svg"):
        text = (tiny_run.cell("dbpd") / name).read_text()
        assert str(tiny_run.runs.parent) not in text


MULTI = """
name = "multi"
seeds = [0, 1]

[budget]
epochs = 2
batch_size = 16
precision = "bf16"
augment = ["mixup"]
schedule = { use = "cosine", warmup = 0.1 }

[[dataset]]
use = "synthetic"
records = 60
duration = 2.0
task = "multi-label"
leads = ["II", "V1"]
filter = { highpass = 0.5, lowpass = 40.0 }
normalise = "train-lead"
side = ["age"]

[[model]]
use = "resnet1d"
width = 4
blocks = 1
stages = 2

[[strategy]]
use = "linear"

[[strategy]]
use = "dbpd"
confidence = 0.6
pack = true
"""


def test_a_multi_label_suite_of_two_leads_runs(tmp_path):
    (tmp_path / "multi.toml").write_text(MULTI)
    output = run_harness("run", "multi.toml", cwd=tmp_path)
    assert "10 done" in output
    board = json.loads((tmp_path / "leaderboard" / "multi.json").read_text())
    (table,) = board["datasets"][0]["tables"]
    rows = {row["strategy"]: row["controls"] for row in table["rows"]}
    controls = {name for names in rows.values() for name in names}
    assert {row for row, names in rows.items() if not names} == {"linear", "dbpd"}
    assert controls == {
        "baseline at equal epochs",
        "baseline at equal FLOPs",
        "random at equal counts",
    }


@pytest.mark.real_data
def test_whole_records_of_cinc2017_run_with_masks(tmp_path, real_data, monkeypatch):
    suite = """
name = "whole"
[budget]
epochs = 1
[[dataset]]
use = "cinc2017"
sampling_rate = 50.0
seconds = "whole"
split = { validation = 0.05, test = 0.9 }
[[model]]
use = "resnet1d"
width = 4
blocks = 1
head = "steps"
[[strategy]]
use = "baseline"
"""
    monkeypatch.setenv("HARNESS_DATA", str(real_data))
    (tmp_path / "whole.toml").write_text(suite)
    run_harness("run", "whole.toml", cwd=tmp_path)
    (path,) = tmp_path.rglob("result.json")
    result = json.loads(path.read_text())
    assert result["dataset"]["seconds"] == "whole"
    assert result["cost"]["audit"]["status"] == "passed"
    assert set(result["metrics"]["test"]["class_subsets"]) == {"f1_nao"}
