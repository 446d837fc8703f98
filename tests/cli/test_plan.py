import json

import pytest


def test_a_done_suite_shows_its_cells_and_ids(harness, tiny_run):
    ended = harness("plan", tiny_run.suite, "--runs", tiny_run.runs)

    assert ended.code == 0
    assert ended.out.endswith("suite tiny: 3 cells, 3 done\n")
    for name in ("majority", "baseline", "dbpd"):
        assert tiny_run.cell(name).name.removeprefix("0-") in ended.out
    assert "\x1b" not in ended.out


def test_missing_recordings_leave_cells_without_id(harness, tmp_path):
    suite = tmp_path / "suite.toml"
    suite.write_text('[[dataset]]\nuse = "ptbxl"\n[[strategy]]\nuse = "majority"\n')

    ended = harness("plan", suite)

    assert ended.code == 0
    assert "data set ptbxl is not there" in ended.err
    assert "HARNESS_DATA" in ended.err
    assert "majority" in ended.out
    plan = json.loads(harness("plan", suite, "--json").out)
    assert plan["cells"][0]["id"] is None
    assert list(plan["missing_data"]) == ["ptbxl"]


@pytest.mark.usefixtures("torch_as_before")
def test_an_estimate_agrees_with_what_is_then_measured(harness, tiny_run, tmp_path):
    def costs(runs):
        ended = harness("plan", tiny_run.suite, "--runs", runs, "--estimate", "--json")
        plan = json.loads(ended.out)
        return {c["strategy"]: c["cost"] for c in plan["cells"]}, plan["remaining"]

    measured, nothing = costs(tiny_run.runs)
    estimated, remaining = costs(tmp_path / "empty")

    assert nothing["flops"] == nothing["seconds"] == 0
    assert all(cost["measured"] for cost in measured.values())
    assert estimated["majority"]["flops"] == 0
    assert estimated["baseline"]["flops"] == measured["baseline"]["flops"]
    # A real epoch holds a few counters more.
    peak = measured["baseline"]["memory_bytes"]
    assert estimated["baseline"]["memory_bytes"] == pytest.approx(peak, rel=1e-3)
    assert not estimated["baseline"]["at_most"]
    assert estimated["dbpd"]["at_most"]
    assert estimated["dbpd"]["flops"] >= measured["dbpd"]["flops"]
    assert estimated["dbpd"]["memory_bytes"] >= measured["dbpd"]["memory_bytes"]
    assert remaining["seconds"] > 0


@pytest.mark.usefixtures("torch_as_before")
def test_what_cannot_be_estimated_says_why(harness, tmp_path):
    suite = tmp_path / "suite.toml"
    suite.write_text(
        '[budget]\nepochs = 1\n[[dataset]]\nuse = "synthetic"\nrecords = 60\n'
        'duration = 2.0\n[[model]]\nuse = "cnn1d"\n[[strategy]]\nuse = "dbpd"\n'
        "controls = false\n"
    )

    ended = harness("plan", suite, "--estimate")

    assert ended.code == 0
    assert "leave none of 1 to drop samples in" in ended.out
    assert "1 cells could not be estimated" in ended.out


PUPIL = '''
from harness import Strategy, hookimpl


class Pupil(Strategy):
    """Requires a cell."""

    name = "pupil"

    @hookimpl
    def requires(self, cell):
        return {"elder": cell.with_strategy("baseline")}
'''


def test_a_cell_is_blocked_for_as_long_as_what_it_requires_has_failed(
    harness, tmp_path
):
    (tmp_path / "pupil.py").write_text(PUPIL)
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'plugins = ["pupil.py"]\n[[dataset]]\nuse = "synthetic"\nrecords = 60\n'
        '[[model]]\nuse = "cnn1d"\n[[strategy]]\nuse = "pupil"\n'
    )

    def planned():
        cells = json.loads(harness("plan", suite, "--json").out)["cells"]
        return [(c["role"], c["state"], c["reason"]) for c in cells], cells

    shown, (elder, pupil) = planned()
    assert shown == [("required", "planned", None), ("suite", "planned", None)]
    assert pupil["requires"] == {"elder": elder["id"]}

    def fail(cell, kind, message):
        folder = tmp_path / "runs" / cell["folder"]
        folder.mkdir(parents=True, exist_ok=True)
        failure = {"kind": kind, "message": message, "traceback": ""}
        (folder / "failure.json").write_text(json.dumps(failure))
        return folder / "failure.json"

    failure = fail(elder, "plugin", "it broke")
    reason = "requires elder: synthetic / cnn1d / baseline / seed 0, which failed"
    assert planned()[0] == [
        ("required", "failed", "plugin: it broke"),
        ("suite", "blocked", reason),
    ]
    fail(pupil, "blocked", "requires something")
    assert f"blocked: synthetic / cnn1d / pupil / seed 0: {reason}" in (
        harness("plan", suite).out
    )
    failure.unlink()
    assert planned()[0] == shown
