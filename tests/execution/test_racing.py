"""Two that want the same cell at the same time: one gets it, and nothing runs twice.

`HARNESS_TEST_RACES` says how many rounds the races have.
"""

import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from suites_to_run import BASELINE, results, run, start, write_suite

from harness.files.process_id import is_alive
from harness.results.claim import Observer, highest_claim, take_claim

ROUNDS = int(os.environ.get("HARNESS_TEST_RACES", "50"))
FORK = multiprocessing.get_context("fork")
RACERS = 4
STAY_SECONDS = 0.002

# Trains nothing, but tells of it each time.
WITNESS = '''
import os

from harness import Strategy, hookimpl


class Witness(Strategy):
    """Says that it was there."""

    name = "witness"
    uses_model = False

    @hookimpl
    def build_model(self, run):
        import torch

        class Constant(torch.nn.Module):
            def __init__(self, outputs):
                super().__init__()
                self.register_buffer("logits", torch.zeros(outputs))

            def forward(self, signals, lengths=None):
                return self.logits.expand(len(signals), -1)

        return Constant(len(run.classes))

    @hookimpl
    def train(self, run):
        with open(os.environ["HARNESS_TEST_WITNESS"], "a") as stream:
            stream.write(f"{run.cell.seed}\\n")
        return True
'''


def live(target, *arguments):
    """Processes that all do the same, from the same moment on; until they have."""
    barrier = FORK.Barrier(RACERS)
    processes = [
        FORK.Process(target=target, args=(barrier, *arguments)) for _ in range(RACERS)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def race(barrier, folders):
    """In each folder, take the claim if it's to be had, and write down who did."""
    for folder in folders:
        barrier.wait()
        claim = take_claim(folder, Observer().is_stale)
        if claim is not None:
            (folder / f"winner-{os.getpid()}").touch()
        # Nobody may end, or let go, before all have tried.
        barrier.wait()


def dead_claim(folder):
    process = FORK.Process(target=take_claim, args=(folder, Observer().is_stale))
    process.start()
    process.join()
    assert (folder / "claim-1.json").exists()


@pytest.mark.parametrize("number", [1, 2], ids=["a free folder", "a dead one's"])
def test_of_several_that_reach_for_it_at_once_one_gets_it(tmp_path, number):
    folders = [tmp_path / str(turn) for turn in range(ROUNDS)]
    if number == 2:
        for folder in folders:
            dead_claim(folder)
    assert live(race, folders) == [0] * RACERS
    for folder in folders:
        assert len(list(folder.glob("winner-*"))) == 1
        assert [p.name for p in folder.glob("claim-*")] == [f"claim-{number}.json"]


def pass_through(_, folder, rounds):
    """Hold the claim for a moment, again and again; let go, or die while holding."""
    for turn in range(rounds):
        while (claim := take_claim(folder, Observer().is_stale)) is None:
            time.sleep(STAY_SECONDS / 4)
        (folder / f"inside-{os.getpid()}").touch()
        inside = {int(p.name.removeprefix("inside-")) for p in folder.glob("inside-*")}
        with (folder.parent / "log").open("a") as log:
            log.write(json.dumps([claim.number, os.getpid(), sorted(inside)]) + "\n")
        time.sleep(STAY_SECONDS)
        (folder / f"inside-{os.getpid()}").unlink()
        if turn == rounds - 1:
            os._exit(3)
        claim.release()


def test_a_claim_goes_from_hand_to_hand_and_is_never_in_two(tmp_path):
    folder = tmp_path / "cell"
    folder.mkdir()
    assert live(pass_through, folder, ROUNDS) == [3] * RACERS
    entries = [json.loads(x) for x in (tmp_path / "log").read_text().splitlines()]
    numbers = [number for number, _, _ in entries]
    assert len(numbers) == RACERS * ROUNDS
    assert numbers == sorted(set(numbers))
    assert all(inside == [pid] for _, pid, inside in entries)


@pytest.mark.timeout(600 + 10 * ROUNDS)
def test_two_runs_of_a_suite_at_once_run_every_cell_once(tmp_path):
    """A round is a cell: both commands want each of them, in the same order."""
    suite = write_suite(tmp_path, '\n[[strategy]]\nuse = "witness"\n', witness=WITNESS)
    seeds = list(range(ROUNDS))
    suite.write_text(suite.read_text().replace("seeds = [0]", f"seeds = {seeds}"))
    told = tmp_path / "told"
    both = [
        start("run", str(suite), cwd=tmp_path, HARNESS_TEST_WITNESS=str(told))
        for _ in range(2)
    ]
    outputs = [command.communicate(timeout=600 + 10 * ROUNDS)[0] for command in both]

    assert [command.returncode for command in both] == [0, 0], outputs
    counts = Counter(int(line) for line in told.read_text().splitlines())
    assert counts == dict.fromkeys(seeds, 1)
    assert len(results(tmp_path / "runs")) == ROUNDS
    measured = [json.loads(p.read_text()) for p in tmp_path.rglob("measured.json")]
    assert [m["attempts"] for m in measured] == [1] * ROUNDS
    # Both took a part: else nothing was raced for.
    assert all("by another run" in output for output in outputs)


@pytest.fixture(scope="module")
def small_suite(tmp_path_factory):
    return write_suite(tmp_path_factory.mktemp("suite"), BASELINE)


@pytest.fixture(scope="module")
def unbroken(small_suite, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    run("run", str(small_suite), "-q", cwd=folder)
    return results(folder / "runs")


def wait_for_file(folder, name, command):
    while not (found := list(folder.rglob(name))):
        assert command.poll() is None, command.communicate()[0]
        time.sleep(0.002)
    return found[0].parent


def test_who_slept_through_being_overtaken_writes_no_result(
    small_suite, unbroken, tmp_path
):
    command = start("run", str(small_suite), cwd=tmp_path)
    cell = wait_for_file(tmp_path, "curves.svg", command)
    holder = json.loads((cell / "claim-1.json").read_text())
    os.kill(holder["pid"], signal.SIGSTOP)
    ours = take_claim(cell, lambda folder, number: True)
    os.kill(holder["pid"], signal.SIGCONT)
    while is_alive(holder):
        time.sleep(0.01)
    assert not (cell / "result.json").exists()

    assert ours.is_held
    ours.release()
    output, _ = command.communicate(timeout=120)
    assert command.returncode == 0, output
    assert results(tmp_path / "runs") == unbroken


JUMPING = '''
import os
import time

REAL = time.time
DAY = 86400


def jumping():
    """A clock that is set back and forth by a day, twice a second."""
    return REAL() + (DAY if int(time.monotonic() * 2) % 2 else -DAY)


time.time = jumping
time.time_ns = lambda: int(jumping() * 1e9)
with open(os.environ["HARNESS_TEST_CLOCKS"], "a") as stream:
    stream.write(f"{os.getpid()}\\n")
'''


def test_clocks_that_jump_and_file_times_that_lie_change_nothing(
    small_suite, unbroken, tmp_path
):
    (tmp_path / "jumping").mkdir()
    (tmp_path / "jumping" / "sitecustomize.py").write_text(JUMPING)
    told = tmp_path / "told"
    path = os.pathsep.join(
        [str(tmp_path / "jumping"), os.environ.get("PYTHONPATH", "")]
    )
    runs = [
        start(
            *("run", str(small_suite)),
            cwd=tmp_path,
            PYTHONPATH=path,
            HARNESS_TEST_CLOCKS=str(told),
        )
        for _ in range(2)
    ]
    wait_for_file(tmp_path, "claim-*.json", runs[0])
    turn = 0
    while any(command.poll() is None for command in runs):
        turn += 1
        now = time.time() + (86400 if turn % 2 else -86400)
        for file in (tmp_path / "runs").rglob("*.*"):
            _set_times(file, now)
        time.sleep(0.1)
    outputs = [command.communicate()[0] for command in runs]

    assert [command.returncode for command in runs] == [0, 0], outputs
    # Both commands, and the processes that they started.
    assert len(set(told.read_text().split())) >= 4
    assert results(tmp_path / "runs") == unbroken
    (measured,) = tmp_path.rglob("measured.json")
    assert json.loads(measured.read_text())["attempts"] == 1
    (cell,) = (path.parent for path in tmp_path.rglob("result.json"))
    assert highest_claim(cell) == 0


def _set_times(file: Path, now: float) -> None:
    try:
        os.utime(file, (now, now))
    except FileNotFoundError:
        return
