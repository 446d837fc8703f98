"""Whatever ends a run, the same command again ends in the same files."""

import random
import signal
import time

import pytest
from suites_to_run import (
    BASELINE,
    DBPD,
    kill_everything,
    results,
    run,
    start,
    write_suite,
)

KILLS = 6


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return write_suite(tmp_path_factory.mktemp("killing"), BASELINE + DBPD)


@pytest.fixture(scope="module")
def unbroken(suite, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    run("run", str(suite), "-q", cwd=folder)
    return folder


def without_times(leaderboard):
    """A leaderboard's lines but those that hold measured times."""
    return [line for line in leaderboard.splitlines() if not line.startswith("|")]


def test_killed_at_random_moments_it_ends_in_the_same_bytes(suite, unbroken, tmp_path):
    chance = random.Random(1)
    for _ in range(KILLS):
        process = start("run", str(suite), "--workers", "2", cwd=tmp_path)
        time.sleep(chance.uniform(2.0, 9.0))
        kill_everything(process)
    run("run", str(suite), "-q", cwd=tmp_path)

    assert results(tmp_path / "runs") == results(unbroken / "runs")
    assert len(results(tmp_path / "runs")) == 2
    boards = [f / "leaderboard" / "small.md" for f in (tmp_path, unbroken)]
    assert without_times(boards[0].read_text()) == without_times(boards[1].read_text())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_ends_with_75_and_goes_on_later(
    suite, unbroken, tmp_path, number
):
    process = start("run", str(suite), "--workers", "1", cwd=tmp_path)
    while not list(tmp_path.rglob("checkpoint.pt")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 75, output
    assert "the same command goes on" in output
    assert not list(tmp_path.rglob("claim-*.json"))

    run("run", str(suite), "-q", cwd=tmp_path)
    assert results(tmp_path / "runs") == results(unbroken / "runs")


def test_a_finished_suite_trains_nothing(suite, unbroken):
    before = results(unbroken / "runs")
    times = {p: p.stat().st_mtime_ns for p in unbroken.rglob("result.json")}
    output = run("run", str(suite), cwd=unbroken)
    assert "2 done, 0 to run" in output
    assert results(unbroken / "runs") == before
    assert {p: p.stat().st_mtime_ns for p in unbroken.rglob("result.json")} == times


def test_two_runs_at_once_train_every_cell_once(suite, unbroken, tmp_path):
    both = [start("run", str(suite), "--workers", "1", cwd=tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=240)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert results(tmp_path / "runs") == results(unbroken / "runs")
    measured = list(tmp_path.rglob("measured.json"))
    assert len(measured) == 2
    assert all('"attempts": 1' in path.read_text() for path in measured)
