"""The floor of all training: weights as a baseline starts with them, judged as any."""

import json

import pytest
from safetensors.numpy import load_file
from suites_to_run import BASELINE, strategy_source, write_suite
from suites_to_run import run as run_harness

STARTS = strategy_source(
    "starts",
    "    def train(self, run):\n"
    '        run.snapshot("start")\n'
    "        run.fit()\n"
    "        return True\n",
)
ENTRIES = BASELINE + '[[strategy]]\nuse = "untrained"\n[[strategy]]\nuse = "starts"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untrained")
    suite = write_suite(folder, ENTRIES, starts=STARTS)
    run_harness("run", str(suite), cwd=folder)
    return folder


def cell_of(folder, strategy):
    (path,) = folder.glob(f"runs/*/*/{strategy}/*/result.json")
    return path.parent


def result_of(folder, strategy):
    return json.loads((cell_of(folder, strategy) / "result.json").read_text())


def test_its_weights_are_those_that_a_baseline_starts_from(folder):
    found = load_file(cell_of(folder, "untrained") / "model.safetensors")
    (start,) = cell_of(folder, "starts").glob("snapshots/start.safetensors")
    first = load_file(start)
    trained = load_file(cell_of(folder, "baseline") / "model.safetensors")
    ended = load_file(cell_of(folder, "starts") / "model.safetensors")
    assert found.keys() == first.keys() == trained.keys()
    assert all((found[name] == first[name]).all() for name in found)
    assert all((ended[name] == trained[name]).all() for name in trained)
    assert not all((found[name] == trained[name]).all() for name in trained)


def test_it_costs_nothing(folder):
    cost = result_of(folder, "untrained")["cost"]
    assert cost["effective_epochs"] == cost["forward_epochs"] == 0
    assert cost["flops"]["training"] == 0
    assert cost["flops"]["evaluation"] > 0
    assert result_of(folder, "baseline")["cost"]["flops"]["training"] > 0


def test_it_is_judged_as_any_other(folder):
    result, other = (result_of(folder, name) for name in ("untrained", "baseline"))
    for split in ("test", "validation"):
        found, trained = (r["metrics"][split] for r in (result, other))
        assert found.keys() == trained.keys()
    started = result_of(folder, "starts")["snapshots"][0]["test"]
    assert result["metrics"]["test"] == started
    assert started != other["metrics"]["test"]


def test_its_curves_and_its_row_are_there(folder):
    curves = (cell_of(folder, "untrained") / "curves.svg").read_text()
    assert curves.rstrip().endswith("</svg>")
    board = json.loads((folder / "leaderboard" / "small.json").read_text())
    (table,) = board["datasets"][0]["tables"]
    rows = {row["strategy"]: row for row in table["rows"]}
    row = rows["untrained"]
    shown = result_of(folder, "untrained")["metrics"]["test"]["macro_f1"]
    assert row["macro_f1"]["mean"] == pytest.approx(shown)
    assert row["effective_epochs"]["mean"] == row["relative_compute"]["mean"] == 0
    assert row["done"] == row["cells"] == 1
    assert "| untrained" in (folder / "leaderboard" / "small.md").read_text()
