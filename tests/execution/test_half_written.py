"""Files that a crash left half-written: the same command repairs them, or says so.

All cells die at once, each loses other files then, and one command goes on with all.
"""

import json
import multiprocessing
import random
import shutil
from dataclasses import replace

import pytest
from killing import board_without_times, differences, litter
from suites_to_run import results, run, write_suite

from harness.results.claim import Observer, take_claim

DYING = '''
import os
import signal

from harness import Strategy, hookimpl


class Dying(Strategy):
    """Dies in its second round, where it is told to."""

    name = "dying"

    @hookimpl
    def train(self, run):
        for number in run.loop("round", 2):
            run.snapshot("round", round=number)
            run.fit(epochs=1)
        return True

    @hookimpl
    def epoch_end(self, run, report):
        indices = run.loops.indices
        if "HARNESS_TEST_DIE" in os.environ and (indices["round"], run.epoch) == (1, 0):
            os.kill(os.getpid(), signal.SIGKILL)
'''


def cut(raw):
    return raw[: len(raw) // 2]


def nearly_whole(raw):
    return raw[:-2]


def empty(raw):
    return b""


def zeros(raw):
    return bytes(len(raw))


def torn(raw):
    """One block that never reached the disk."""
    middle = len(raw) // 2
    return raw[:middle] + bytes(min(512, len(raw) - middle)) + raw[middle + 512 :]


def rubbish(raw):
    return random.Random(0).randbytes(max(64, len(raw)))


FORK = multiprocessing.get_context("fork")
CHECKPOINTS = ("checkpoint.pt", "checkpoint.previous.pt")
DAMAGES = [
    *[(("checkpoint.pt",), damage) for damage in (cut, nearly_whole, torn)],
    *[(CHECKPOINTS, damage) for damage in (empty, zeros, rubbish, torn)],
    *[(("attempts",), damage) for damage in (empty, rubbish)],
    *[(("failure.json",), damage) for damage in (cut, zeros)],
    (("cell.json", "history.jsonl", "log.txt"), rubbish),
    # What an older crash left of an end that was nearly reached:
    *[(("result.json",), damage) for damage in (cut, nearly_whole, empty, zeros)],
    (("result.json",), rubbish),
    (("predictions.npz", "model.safetensors", "measured.json", "curves.svg"), cut),
]
SEEDS = list(range(len(DAMAGES)))


def cell_of(runs, seed):
    (folder,) = runs.glob(f"synthetic/cnn1d/dying/{seed}-*")
    return folder


def harm(folder, names, damage, whole):
    """Damage files of a cell's folder; those of its end are the unbroken run's."""
    for name in names:
        path = folder / name
        raw = path.read_bytes() if path.exists() else (whole / name).read_bytes()
        path.write_bytes(damage(raw))


def test_what_an_older_crash_left_is_repaired_and_never_believed(tmp_path, monkeypatch):
    suite = write_suite(
        tmp_path, '\n[[strategy]]\nuse = "dying"\n', "retries = 0", dying=DYING
    )
    suite.write_text(suite.read_text().replace("seeds = [0]", f"seeds = {SEEDS}"))
    unbroken = tmp_path / "unbroken"
    unbroken.mkdir()
    run("run", str(suite), "-q", cwd=unbroken)
    cache, runs = tmp_path / "cache", tmp_path / "runs"
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    run("run", str(suite), "-q", cwd=tmp_path, expect=1, HARNESS_TEST_DIE="1")
    for seed, (names, damage) in enumerate(DAMAGES):
        harm(cell_of(runs, seed), names, damage, cell_of(unbroken / "runs", seed))
    for path in [
        *cache.glob("*/*.json"),
        *cache.glob("*/*.h5"),
        *runs.glob("*/*.json"),
    ]:
        path.write_bytes(cut(path.read_bytes()))

    said = run("plan", str(suite), cwd=tmp_path)
    assert f"{len(DAMAGES) - 2} failed, 2 planned" in said
    said = run("run", str(suite), cwd=tmp_path)
    assert "Traceback" not in said
    assert f"{len(DAMAGES)} done" in said
    assert differences(runs, unbroken / "runs") == []
    assert litter(runs) == []
    boards = [f / "leaderboard" for f in (tmp_path, unbroken)]
    assert board_without_times(boards[0]) == board_without_times(boards[1])
    attempts = [
        json.loads((cell_of(runs, seed) / "measured.json").read_text())["attempts"]
        for seed in SEEDS
    ]
    lost = {i for i, (names, _) in enumerate(DAMAGES) if "attempts" in names}
    assert attempts == [1 if seed in lost else 2 for seed in SEEDS]


@pytest.fixture
def finished(tiny_run, tmp_path):
    """A suite of three cells that is done, to be harmed."""
    for folder in (tiny_run.runs, tiny_run.leaderboard):
        shutil.copytree(folder, tmp_path / folder.name)
    runs, leaderboard = tmp_path / "runs", tmp_path / "leaderboard"
    return replace(tiny_run, runs=runs, leaderboard=leaderboard)


def test_a_finished_cell_stands_without_what_no_figure_is_made_of(finished):
    cell = finished.cell("dbpd")
    for name in ("cell.json", "history.jsonl", "log.txt", ".released-1"):
        (cell / name).write_bytes(rubbish(b""))
    (cell / "measured.json").write_bytes(b"")
    page = finished.leaderboard / "tiny.md"
    page.unlink()
    said = run("run", str(finished.suite), cwd=cell.parents[4])
    assert "3 done, 0 to run" in said
    assert "dbpd" in page.read_text()


def test_who_died_right_after_its_result_leaves_nothing_behind(finished):
    cell = finished.cell("dbpd")
    process = FORK.Process(target=take_claim, args=(cell, Observer().is_stale))
    process.start()
    process.join()
    for name in (*CHECKPOINTS, "attempts", ".checkpoint.new.tmp"):
        (cell / name).touch()
    assert len(litter(finished.runs)) == 6
    before = results(finished.runs)
    said = run("run", str(finished.suite), cwd=cell.parents[4])
    assert "3 done, 0 to run" in said
    assert litter(finished.runs) == []
    assert results(finished.runs) == before


@pytest.mark.parametrize("damage", [cut, empty, zeros, rubbish])
def test_damaged_weights_are_refused_by_who_reads_them(finished, harness, damage):
    weights = finished.cell("dbpd") / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    outcome = harness("evaluate", weights.parent)
    assert outcome.code == 2
    assert "model.safetensors" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("damage", [cut, empty, zeros, rubbish])
def test_a_damaged_list_of_cells_is_told_and_made_again(finished, harness, damage):
    manifest = finished.runs / "suites" / "tiny.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(damage(whole))
    folders = ("--runs", finished.runs, "--leaderboard", finished.leaderboard)
    outcome = harness("report", "tiny", *folders)
    assert outcome.code == 2
    assert "tiny.json" in outcome.err
    outcome = harness("run", finished.suite, "-q", *folders)
    assert outcome.code == 0
    assert manifest.read_bytes() == whole
