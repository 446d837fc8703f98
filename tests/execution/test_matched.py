"""Baselines that spend what another cell did, in real runs."""

import json

import pytest
from suites_to_run import BASELINE, run, write_suite

DBPD = '\n[[strategy]]\nuse = "dbpd"\nconfidence = 0.4\n'


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matched")
    suite = write_suite(folder, BASELINE + DBPD)
    run("run", str(suite), "--device", "cpu", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def results(done):
    found = [json.loads(p.read_text()) for p in done.glob("runs/*/*/*/*/result.json")]
    return {r["strategy"]["label"]: r for r in found}


def test_equal_epochs_are_equal_to_the_sample(results):
    matched = results["dbpd: baseline at equal epochs"]
    backward = results["dbpd"]["cost"]["backward_samples"]
    assert matched["cost"]["backward_samples"] == backward
    assert matched["cost"]["forward_samples"] == backward


def test_equal_flops_are_equal_to_half_a_sample(results):
    matched = results["dbpd: baseline at equal FLOPs"]["cost"]
    plain = results["baseline"]["cost"]
    a_sample = plain["flops"]["training"] / plain["backward_samples"]
    target = results["dbpd"]["cost"]["flops"]["training"]
    assert abs(matched["flops"]["training"] - target) <= a_sample / 2


def test_the_random_control_keeps_as_many_in_each_epoch(done):
    def kept(strategy):
        (history,) = done.glob(f"runs/*/*/{strategy}/*/history.jsonl")
        return [json.loads(line)["kept"] for line in history.read_text().splitlines()]

    assert kept("smrd") == kept("dbpd")


def test_what_was_only_matched_is_no_cost(results):
    assert "required" not in results["dbpd: baseline at equal FLOPs"]
    needed = results["dbpd: random at equal counts"]["required"]
    (cell,) = needed["cells"].values()
    assert cell["strategies"] == ["dbpd"]
    own = results["dbpd: random at equal counts"]["cost"]["flops"]["training"]
    of_dbpd = results["dbpd"]["cost"]["flops"]["training"]
    assert needed["total"]["training_flops"] == own + of_dbpd


def test_the_leaderboard_puts_the_row_beside_its_controls(done):
    board = json.loads((done / "leaderboard" / "small.json").read_text())
    (table,) = board["datasets"][0]["tables"]
    found = {c["name"]: c for c in table["comparisons"]}
    assert {c["strategy"] for c in found.values()} == {"dbpd"}
    scores = {row["strategy"]: row["macro_f1"]["mean"] for row in table["rows"]}
    for name, comparison in found.items():
        difference = scores["dbpd"] - scores[f"dbpd: {name}"]
        assert comparison["difference"]["mean"] == pytest.approx(difference)
        assert comparison["verdict"] == "too few seeds"
    page = (done / "leaderboard" / "small.md").read_text()
    assert "**Beside their controls**" in page
    assert "as many FLOPs, the schedule stretched" in page
