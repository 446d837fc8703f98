"""Workers on this machine: how they start, end, and are started again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from suites_to_run import (
    BASELINE,
    DBPD,
    family,
    results,
    run,
    start,
    strategy_source,
    write_suite,
)

from harness.execution.environment import worker_environment
from harness.execution.job import Job
from harness.execution.pool import WorkerPool
from harness.execution.worker import STOPPED
from harness.plan.plan import make_plan
from harness.suite.resolve import read_suite

# It keeps the signal for itself as well, which must not keep the worker from it.
SLOW = strategy_source(
    "slow",
    "    def after_step(self, run):\n"
    "        import signal, time\n"
    "        signal.signal(signal.SIGTERM, lambda *_: None)\n"
    "        time.sleep(0.3)\n",
)
SLOW_ENTRY = '\n[[strategy]]\nuse = "slow"\n'
PATIENCE_SECONDS = 90


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    path = write_suite(folder, SLOW_ENTRY, slow=SLOW)
    path.write_text(path.read_text().replace("[budget]", "[budget]\nthreads = 2"))
    return path


@pytest.fixture(scope="module")
def unbroken(suite, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    run("run", str(suite), "-q", cwd=folder)
    return folder


def wait_for(condition):
    """What the condition gives as soon as that is something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


def holder(folder, attempt=1):
    """The process that has the only cell, once it has made a checkpoint.

    `attempt` is how many processes have taken the cell up, this one included.
    """
    for claim in folder.rglob("claim-*.json"):
        begun = claim.parent / "attempts"
        if (claim.parent / "checkpoint.pt").exists() and begun.exists():
            with suppress(OSError, ValueError):
                pid = json.loads(claim.read_text())["pid"]
                return pid if begun.read_text() == str(attempt) else None
    return None


def job_of(suite, runs):
    (planned,) = make_plan(*read_suite(suite), runs).cells
    return Job(planned.cell, runs, read_suite(suite)[0].execution)


def kept_files(runs):
    names = ("result.json", "history.jsonl", "predictions.npz", "model.safetensors")
    return {n: path.read_bytes() for n in names for path in runs.rglob(n)}


def test_a_forked_worker_computes_what_a_started_one_does(suite, unbroken, tmp_path):
    job = job_of(suite, tmp_path / "runs")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "harness.execution.worker"],
        input=job.to_json(),
        env={**os.environ, **worker_environment([], 2)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(kept_files(tmp_path / "runs")) == 4
    assert kept_files(tmp_path / "runs") == kept_files(unbroken / "runs")


def test_a_worker_that_is_asked_to_stop_exits_with_75_after_a_checkpoint(
    suite, tmp_path
):
    job = job_of(suite, tmp_path / "runs")
    job.folder.mkdir(parents=True)
    pool = WorkerPool()
    try:
        worker = pool.start(job, worker_environment([], 2), job.folder / "log.txt")
        while worker.pid is None:
            pool.wait(0.1)
        wait_for(lambda: holder(tmp_path) == worker.pid)
        server = psutil.Process(worker.pid).parent()
        assert server.num_threads() == 1, "threads don't survive a fork"
        chosen_when_memory_ends = Path(f"/proc/{worker.pid}/oom_score_adj").read_text()
        assert chosen_when_memory_ends.strip() == "1000"
        os.kill(worker.pid, signal.SIGTERM)
        while worker.code is None:
            pool.wait(0.1)
    finally:
        pool.close()
    assert worker.code == STOPPED == 75
    assert (job.folder / "checkpoint.pt").exists()
    assert not list(tmp_path.rglob("claim-*.json"))
    assert not list(tmp_path.rglob("failure.json"))


def test_a_server_whose_workers_were_ended_starts_others(suite, tmp_path):
    job = job_of(suite, tmp_path / "runs")
    job.folder.mkdir(parents=True)
    pool, servers, codes = WorkerPool(), [], []
    try:
        for _ in range(2):
            worker = pool.start(job, worker_environment([], 2), job.folder / "log.txt")
            while worker.pid is None:
                pool.wait(0.1)
            servers.append(psutil.Process(worker.pid).ppid())
            pool.end_workers()
            codes.append(worker.code)
    finally:
        pool.close()
    assert codes == [-signal.SIGKILL] * 2
    assert servers[0] == servers[1]
    assert not psutil.pid_exists(servers[0])


def test_workers_that_others_end_are_started_again(suite, unbroken, tmp_path):
    command = start("run", str(suite), cwd=tmp_path)
    for number, strike in enumerate(("stop", "kill", "kill the server"), start=1):
        pid = wait_for(lambda number=number: holder(tmp_path, number))
        if strike == "kill the server":
            os.kill(psutil.Process(pid).ppid(), signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM if strike == "stop" else signal.SIGKILL)
    output, _ = command.communicate(timeout=PATIENCE_SECONDS)

    assert command.returncode == 0, output
    assert "its process was asked to stop; it goes on" in output
    assert "attempt 2 of 3 follows" in output
    assert "attempt 3 of 3 follows" in output
    (measured,) = tmp_path.rglob("measured.json")
    assert json.loads(measured.read_text())["attempts"] == 4
    assert results(tmp_path / "runs") == results(unbroken / "runs")
    assert family(command) == []


def test_workers_stop_by_themselves_when_the_command_is_killed(suite, tmp_path):
    command = start("run", str(suite), cwd=tmp_path)
    wait_for(lambda: holder(tmp_path))
    os.kill(command.pid, signal.SIGKILL)
    wait_for(lambda: not family(command))
    command.communicate()
    assert list(tmp_path.rglob("checkpoint.pt"))
    assert not list(tmp_path.rglob("claim-*.json"))
    assert not list(tmp_path.rglob("result.json"))


DEAF = """
    def epoch_end(self, run, report):
        import time
        from pathlib import Path
        Path(__file__).with_suffix(".asleep").touch()
        time.sleep(600)
"""


def test_ctrl_c_twice_ends_everything_at_once(tmp_path):
    deaf = strategy_source("deaf", DEAF)
    suite = write_suite(tmp_path, '\n[[strategy]]\nuse = "deaf"\n', deaf=deaf)
    command = start("run", str(suite), cwd=tmp_path)
    wait_for((tmp_path / "plugins" / "deaf.asleep").exists)
    command.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert command.poll() is None
    command.send_signal(signal.SIGINT)
    output, _ = command.communicate(timeout=30)
    assert command.returncode == 75, output
    assert "killed; its last checkpoint stands" in output
    assert family(command) == []


def test_only_some_cells_run_and_the_others_stay_on_the_leaderboard(tmp_path):
    suite = write_suite(tmp_path, BASELINE + DBPD)
    command = ("run", str(suite))
    first = run(*command, "--only", "base*", cwd=tmp_path)
    assert "1 of 2 cells, 0 done, 1 to run" in first
    assert "1 done" in first.splitlines()
    assert len(results(tmp_path / "runs")) == 1
    board = (tmp_path / "leaderboard" / "small.md").read_text()
    assert "dbpd" in board

    refused = run(*command, "--only", "nothing", cwd=tmp_path, expect=2)
    assert "--only nothing: fits no cell; there is:" in refused
    assert "synthetic / cnn1d / dbpd / seed 0" in refused
    nothing = run(*command, "--only", "failed", cwd=tmp_path)
    assert "0 of 2 cells" in nothing
    rest = run(*command, "--only", "/ dbpd /", cwd=tmp_path)
    assert "1 of 2 cells, 0 done, 1 to run" in rest
    assert len(results(tmp_path / "runs")) == 2


FAILS_ONCE = """
    def setup(self, run):
        from pathlib import Path
        if Path(__file__).with_suffix(".broken").exists():
            raise RuntimeError("broken")
"""


def test_only_failed_runs_what_failed(tmp_path):
    entry = '\n[[strategy]]\nuse = "fragile"\n'
    source = strategy_source("fragile", FAILS_ONCE)
    suite = write_suite(tmp_path, entry + BASELINE, fragile=source)
    sign = tmp_path / "plugins" / "fragile.broken"
    sign.touch()
    run("run", str(suite), "--only", "fragile", cwd=tmp_path, expect=1)
    sign.unlink()

    again = run("run", str(suite), "--only", "failed", cwd=tmp_path)
    assert "1 of 2 cells, 0 done, 1 to run" in again
    (result,) = results(tmp_path / "runs")
    assert "fragile" in result


WATCHED = """
import json, sys
started, log = [], sys.argv.pop(1)
sys.addaudithook(
    lambda event, arguments: started.append(event)
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec") else None
)
from harness.cli.main import main
try:
    main()
finally:
    open(log, "w").write(json.dumps({"started": started, "modules": list(sys.modules)}))
"""


def test_a_finished_suite_imports_nothing_heavy_and_starts_no_process(
    tiny_run, tmp_path
):
    log = tmp_path / "log.json"
    shutil.copytree(tiny_run.leaderboard, tmp_path / "board")
    arguments = ["run", str(tiny_run.suite), "--runs", str(tiny_run.runs)]
    arguments += ["--leaderboard", str(tmp_path / "board"), "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(log), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "3 done, 0 to run" in done.stderr
    seen = json.loads(log.read_text())
    assert seen["started"] == []
    heavy = {"torch", "pandas", "numpy", "accelerate", "matplotlib", "sklearn"}
    assert heavy.isdisjoint(seen["modules"])
    for name in ("tiny.md", "tiny.json"):
        board = tmp_path / "board" / name
        assert board.read_bytes() == (tiny_run.leaderboard / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--workers", "0"], "should be a number above 0, or auto"),
        (["--workers", "2", "--per-device", "2"], "give one of them"),
        (["--per-device", "2", "--device", "cpu"], "--workers says how many"),
        (["--per-device", "0"], "0 is not in the range"),
    ],
)
def test_options_that_make_no_sense_are_refused(harness, tmp_path, arguments, expected):
    suite = write_suite(tmp_path, BASELINE)
    ended = harness("run", suite, *arguments)
    assert ended.code == 2
    assert expected in ended.err
    assert "Traceback" not in ended.err
