"""What trackers are told, and that nothing which they do reaches a cell."""

import json
import os
import signal
import time

import pytest
from killing import differences
from suites_to_run import (
    DBPD,
    family,
    kill_everything,
    run,
    start,
    strategy_source,
    write_suite,
)
from telling import diary, entries, epochs_known, told

from harness.results.claim import Observer, take_claim

WHOLE = [
    "suite_started",
    "cell_started dbpd",
    *(f"epoch_finished dbpd {number}" for number in range(3)),
    "cell_finished dbpd done",
    "suite_finished",
]
SLOW = strategy_source(
    "slow",
    "    def epoch_end(self, run, report):\n"
    "        import os, time\n"
    "        from pathlib import Path\n"
    "        parent, hold = os.getppid(), Path(f'hold-{report.epoch}')\n"
    "        while hold.exists() and os.getppid() == parent:\n"
    "            time.sleep(0.01)\n",
)


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it has never come"
        time.sleep(0.02)


BAD = strategy_source(
    "bad", "    def epoch_end(self, run, report):\n        raise ValueError('no')\n"
)
STRATEGIES = DBPD + '\n[[strategy]]\nuse = "bad"\n'


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Where a suite ran with two trackers, one of which raises; and what was said."""
    folder = tmp_path_factory.mktemp("unbroken")
    plugins = {"diary": diary(), "moody": diary("raise OSError('boom')", "moody")}
    suite = write_suite(folder, STRATEGIES, bad=BAD, **plugins)
    trackers = ("--tracker", "moody", "--tracker", "diary")
    said = run("run", str(suite), *trackers, cwd=folder, expect=1)
    return folder, said


def told_of(folder, cell, name="diary"):
    """What is told of one cell."""
    return [e for e in entries(folder, name) if e.get("cell") == cell]


def test_all_is_told_in_order(unbroken):
    folder, _ = unbroken
    lines = told(folder)

    assert lines[0] == "suite_started"
    assert lines[-1] == "suite_finished"
    assert [line for line in lines if "dbpd" in line] == WHOLE[1:-1]
    (suite,) = [e for e in entries(folder) if e["hook"] == "suite_finished"]
    assert sorted(suite["states"].values()) == ["done", "failed"]


def test_a_cell_is_told_with_its_parameters(unbroken):
    folder, _ = unbroken
    (path,) = folder.glob("runs/*/*/dbpd/*/result.json")
    start = told_of(folder, "dbpd")[0]

    assert start["folder"] == str(path.parent)
    expected = {
        "strategy": "dbpd",
        "strategy.dbpd.confidence": 0.4,
        "budget.optimizer.lr": 0.01,
        "dataset.records": 60,
        "seed": 0,
    }
    assert expected.items() <= start["parameters"].items()


def test_an_epoch_is_told_with_its_row(unbroken):
    folder, _ = unbroken
    (history,) = folder.glob("runs/*/*/dbpd/*/history.jsonl")
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    epochs = told_of(folder, "dbpd")[1:-1]

    assert [e["row"] for e in epochs] == rows
    for epoch, row in zip(epochs, rows, strict=True):
        figures = epoch["figures"]
        assert figures["validation/macro_f1"] == row["validation"]["macro_f1"]
        assert figures["kept_share"] == row["kept_share"]
        assert {"loss", "learning_rate", "flops"} <= figures.keys()


def test_the_end_is_told_with_its_figures(unbroken):
    folder, _ = unbroken
    (path,) = folder.glob("runs/*/*/dbpd/*/result.json")
    result = json.loads(path.read_text())
    end = told_of(folder, "dbpd")[-1]

    assert (end["state"], end["epochs"]) == ("done", 3)
    figures = end["figures"]
    assert figures["test/macro_f1"] == result["metrics"]["test"]["macro_f1"]
    assert figures["cost/flops/training"] == result["cost"]["flops"]["training"]
    assert figures["seconds/training"] > 0


def test_a_failed_cell_is_told_with_its_reason(unbroken):
    folder, _ = unbroken
    end = told_of(folder, "bad")[-1]

    assert (end["hook"], end["state"]) == ("cell_finished", "failed")
    assert "ValueError: no" in end["message"]
    assert end["figures"] == {}


def test_a_tracker_that_raises_is_told_no_more_and_named_once(unbroken):
    folder, said = unbroken

    assert said.count("tracker moody: OSError: boom") == 1
    assert "dbpd" in told(folder, "moody")[1]
    assert told_of(folder, "dbpd", "moody")[-1]["epoch"] == 0
    (log,) = folder.glob("runs/trackers/small/moody/log.txt")
    assert "Traceback" in log.read_text()
    assert "a word on standard output" in log.read_text()


def test_results_are_the_same_with_trackers_and_without(unbroken, tmp_path):
    folder, _ = unbroken
    suite = write_suite(tmp_path, STRATEGIES, bad=BAD)
    run("run", str(suite), cwd=tmp_path, expect=1)

    assert differences(folder / "runs", tmp_path / "runs") == []


@pytest.fixture
def again(unbroken, harness, monkeypatch):
    """Run what is done already with a tracker of that source; what is said."""
    folder, _ = unbroken

    def call(tracker, source, suite="small.toml"):
        monkeypatch.chdir(folder)
        (folder / "plugins" / f"{tracker}.py").write_text(source)
        ended = harness("run", suite, "--only", "dbpd", "--tracker", tracker)
        assert ended.code == 0
        assert "leaderboard:" in ended.out
        return ended.err

    return call


def test_what_was_told_is_not_told_again(unbroken, again):
    folder, _ = unbroken
    before = told(folder)
    again("diary", diary())
    said = again("moody", diary(name="moody"))

    assert told(folder) == before
    assert "tracker moody" not in said
    # The one that had raised is told the rest.
    epochs = [e["epoch"] for e in told_of(folder, "dbpd", "moody") if "epoch" in e]
    assert epochs == [0, 1, 2]
    assert told(folder, "moody")[-1] == "suite_finished"


def test_another_destination_is_told_everything(unbroken, again):
    folder, _ = unbroken
    before = told(folder)
    named = '[execution]\ntrackers = [{ use = "diary", file = "other.jsonl" }]\n'
    suite = (folder / "small.toml").read_text().replace("[execution]\n", named)
    (folder / "other.toml").write_text(suite)
    again("diary", diary(), "other.toml")

    assert told(folder, "other") == WHOLE
    assert told(folder) == before


def test_a_tracker_that_is_killed_stops_nothing(unbroken, again):
    folder, _ = unbroken
    said = again("shot", diary("os.kill(os.getpid(), signal.SIGKILL)", "shot"))

    assert "tracker shot: its process was killed (SIGKILL)" in said
    assert told(folder, "shot") == WHOLE[:3]


def test_a_tracker_that_hangs_is_given_up(again, monkeypatch):
    monkeypatch.setattr("harness.tracking.trackers.PATIENCE_SECONDS", 0.5)
    said = again("stuck", diary("signal.pause()", "stuck"))

    assert "tracker stuck: it hangs" in said


def test_who_will_not_wait_for_a_tracker_need_not(unbroken):
    folder, _ = unbroken
    (folder / "plugins" / "slack.py").write_text(diary("signal.pause()", "slack"))
    named = ("--only", "dbpd", "--tracker", "slack")
    command = start("run", "small.toml", *named, cwd=folder)
    for line in command.stdout:
        if "slack: being told the rest" in line:
            break
    os.kill(command.pid, signal.SIGINT)
    said, _ = command.communicate(timeout=60)

    assert "tracker slack: it was not told to the end" in said
    assert command.returncode == 0


def test_only_one_run_tells_a_tracker_of_a_suite(unbroken, again):
    folder, _ = unbroken
    place = folder / "runs" / "trackers" / "small" / "late"
    claim = take_claim(place, Observer().is_stale)
    said = again("late", diary(name="late"))
    claim.release()

    assert "tracker late: another run of the suite is telling it" in said
    assert told(folder, "late") == []
    again("late", diary(name="late"))
    assert told(folder, "late") == WHOLE


def test_killed_runs_go_on_and_edited_plugins_begin_anew(tmp_path):
    for number in (1, 2):
        (tmp_path / f"hold-{number}").touch()
    strategies = '\n[[strategy]]\nuse = "slow"\n'
    suite = write_suite(tmp_path, strategies, diary=diary(), slow=SLOW)
    command = start("run", str(suite), "--tracker", "diary", cwd=tmp_path)
    wait_for(lambda: epochs_known(tmp_path, "slow") == [2])
    kill_everything(command)

    # The second epoch had no checkpoint: it is trained again, but not told again.
    before = len(told(tmp_path))
    (tmp_path / "hold-1").unlink()
    command = start("run", str(suite), "--tracker", "diary", cwd=tmp_path)
    wait_for(lambda: "epoch_finished slow 2" in told(tmp_path))
    assert told(tmp_path)[before:] == [
        "suite_started",
        "cell_started slow",
        "epoch_finished slow 2",
    ]
    assert entries(tmp_path)[before + 1]["epochs"] == 2

    # Without the command its trackers end by themselves, and well.
    os.kill(command.pid, signal.SIGKILL)
    wait_for(lambda: not family(command))
    command.communicate()
    assert told(tmp_path)[-2:] == ["cell_finished slow planned", "suite_finished"]

    # What is there of another source is none of this attempt's epochs.
    before = len(told(tmp_path))
    (tmp_path / "hold-2").unlink()
    (tmp_path / "plugins" / "slow.py").write_text(f"{SLOW}\n# edited\n")
    run("run", str(suite), "--tracker", "diary", cwd=tmp_path)
    assert told(tmp_path)[before:] == [x.replace("dbpd", "slow") for x in WHOLE]
    assert entries(tmp_path)[before + 1]["epochs"] == 0
