"""Whatever ends a run, the same command again ends in the same files.

`HARNESS_TEST_KILLS` says how often the suite is killed, `HARNESS_TEST_SEED` when.
"""

import os
import random
import signal
import sys
import time

import pytest
from killing import (
    FINAL,
    Sufferer,
    board_without_times,
    differences,
    final_files,
    litter,
)
from suites_to_run import (
    DBPD,
    family,
    kill_everything,
    results,
    run,
    run_apart,
    start,
    write_suite,
)

KILLS = int(os.environ.get("HARNESS_TEST_KILLS", "12"))
SEED = int(os.environ.get("HARNESS_TEST_SEED", "1"))

NESTED = '''
from harness import Strategy, hookimpl


class Nested(Strategy):
    """Loops in a loop, with state that each of them changes."""

    name = "nested"

    @hookimpl
    def train(self, run):
        drawn = []
        run.track(drawn=drawn)
        for number in run.loop("round", 2):
            for stage in run.loop("stage", 2):
                drawn.append(int(run.rng("draw").integers(1000)))
                run.snapshot("before", round=number, stage=stage)
                run.fit(epochs=1 + stage, fresh_optimizer=True)
                run.snapshot("after", round=number, stage=stage)
        return True

    @hookimpl
    def epoch_end(self, run, report):
        run.log(draws=sum(run.loops.indices.values()))
'''
AFTER = '''
from harness import Strategy, hookimpl


class After(Strategy):
    """Goes on from the weights of a cell that it requires, and stays near it."""

    name = "after"

    @hookimpl
    def requires(self, cell):
        return {"before": cell.with_strategy("baseline")}

    @hookimpl
    def setup(self, run):
        before = run.required("before")
        run.model.load_state_dict(before.weights)
        self.before = before.model

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        from torch.nn.functional import mse_loss

        told = self.before(batch.signals)
        return mse_loss(outputs.logits, told, reduction="none").mean(1)
'''
STRATEGIES = {
    "dbpd": DBPD,
    "alternating": DBPD + 'label = "alternating"\nalternate = true\n',
    "infobatch": '\n[[strategy]]\nuse = "infobatch"\ncontrols = false\n',
    "nested": '\n[[strategy]]\nuse = "nested"\n',
    "after": '\n[[strategy]]\nuse = "after"\n',
    "lottery-ticket": """
[[strategy]]
use = "lottery-ticket"
rounds = 2
controls = false
""",
    # Its teacher sees the batch through leads of its own.
    "distillation": """
[[strategy]]
use = ["distillation", "dbpd"]
distillation.teacher_leads = ["I", "V1"]
distillation.ramp_middle = 1.0
dbpd.confidence = 0.4
dbpd.pack = true
controls = false
""",
}
"""Those that have to stand being killed; each new way to train adds its own."""
CELLS = len(STRATEGIES) + 2
"""With what two of them require: plain training, and that on the teacher's leads."""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killing")
    strategies = "".join(STRATEGIES.values())
    return write_suite(folder, strategies, nested=NESTED, after=AFTER)


@pytest.fixture(scope="module")
def unbroken(suite, tmp_path_factory):
    """The folder of an unbroken run, and how long it took."""
    folder = tmp_path_factory.mktemp("unbroken")
    began = time.monotonic()
    run_apart("run", str(suite), "-q", cwd=folder)
    return folder, time.monotonic() - began


def check(sufferer, unbroken):
    runs = sufferer.folder / "runs"
    assert differences(runs, unbroken / "runs") == []
    boards = [f / "leaderboard" for f in (sufferer.folder, unbroken)]
    assert board_without_times(boards[0]) == board_without_times(boards[1])
    assert {len(times) for times in sufferer.endings.values()} == {1}
    assert len(sufferer.endings) == CELLS
    assert litter(runs) == []


@pytest.mark.timeout(120 + 30 * KILLS)
def test_killed_at_random_moments_it_ends_in_the_same_bytes(suite, unbroken, tmp_path):
    folder, seconds = unbroken
    chance = random.Random(SEED)
    kills, turn = 0, 0
    while kills < KILLS:
        turn += 1
        place = tmp_path / str(turn)
        place.mkdir()
        sufferer = Sufferer(place, suite, chance)
        while kills < KILLS and (moment := sufferer.run_and_kill(seconds / 2)):
            kills += 1
            # Shown with a failure: the seed alone doesn't bring the same moment back.
            sys.stdout.write(f"seed {SEED}, kill {kills}, folder {turn}: {moment}\n")
        sufferer.run_to_the_end()
        check(sufferer, folder)


def stopped_at_a_checkpoint(suite, folder):
    """A run of one cell, right after that has written a checkpoint."""
    process = start("run", str(suite), "--only", "nested", cwd=folder)
    while not list(folder.rglob("checkpoint.pt")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    return process


def check_one(suite, folder, unbroken):
    """The same command again ends in the same files."""
    run("run", str(suite), "--only", "nested", "-q", cwd=folder)
    found, expected = final_files(folder / "runs"), final_files(unbroken / "runs")
    assert len(found) == len(FINAL)
    assert found.items() <= expected.items()
    assert litter(folder / "runs") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_ends_with_75_and_goes_on_later(
    suite, unbroken, tmp_path, number
):
    process = stopped_at_a_checkpoint(suite, tmp_path)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 75, output
    assert "the same command goes on" in output
    assert not list(tmp_path.rglob("claim-*.json"))
    assert family(process) == []
    check_one(suite, tmp_path, unbroken[0])


def test_a_finished_suite_trains_nothing(suite, unbroken):
    folder, _ = unbroken
    before = results(folder / "runs")
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("result.json")}
    output = run("run", str(suite), cwd=folder)
    assert f"{CELLS} done, 0 to run" in output
    assert results(folder / "runs") == before
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("result.json")} == times


def test_what_a_killed_process_left_half_written_is_removed(suite, unbroken, tmp_path):
    process = stopped_at_a_checkpoint(suite, tmp_path)
    kill_everything(process)
    (found,) = tmp_path.rglob("checkpoint.pt")
    for name in (".result.json.x1y2z3ab.tmp", ".checkpoint.new.tmp"):
        (found.parent / name).write_bytes(b"half of it")
    check_one(suite, tmp_path, unbroken[0])
