"""Parts that need no cluster: how cells are divided, followed, limited and held."""

import json
import os
import time
from dataclasses import replace

import pytest
from rich.console import Console
from slurm_suites import AFTER
from suites_to_run import BASELINE, write_suite

from harness.execution.slurm.batches import missing_cells
from harness.execution.slurm.cell_job import name_of_this_job
from harness.execution.slurm.commands import JobStatus, SlurmError, queue
from harness.execution.slurm.follow import Follower
from harness.execution.slurm.held import with_held
from harness.execution.slurm.requested import resources_of
from harness.execution.slurm.submitted import CellJobs
from harness.execution.watchdog import Watchdog
from harness.execution.watchers import PlainWatcher
from harness.options import Execution
from harness.plan.plan import make_plan
from harness.results.claim import Observer, take_claim
from harness.results.state import source_hashes
from harness.suite.resolve import read_suite

NO_JOBS = CellJobs()
PUPILS = BASELINE + '\n[[strategy]]\nuse = ["after", "baseline"]\n'


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A cell and one that requires it, with no results yet."""
    folder = tmp_path_factory.mktemp("plan")
    path = write_suite(folder, PUPILS, after=AFTER)
    return make_plan(*read_suite(path), folder / "runs").cells


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """A program of that name on the path."""

    def write(script):
        program = tmp_path / "bin" / "squeue"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return write


@pytest.fixture
def later(monkeypatch):
    """A clock that goes forward with every pause, and what happens at its times."""
    now, events = [1000.0], {}

    def sleep(seconds):
        now[0] += seconds
        for at in [at for at in events if now[0] >= 1000 + at]:
            events.pop(at)()

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    return events


def finish(cell, runs):
    provenance = {"plugins": source_hashes(cell)}
    folder = runs / cell.folder
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"cell": cell.id, "provenance": provenance})
    (folder / "result.json").write_text(text)


def followed(cell, job, runs):
    """The state in which a cell ends for who follows it."""
    states = {cell.id: "planned"}
    watcher = PlainWatcher(Console(quiet=True), 1)
    Follower(runs, {cell.id: job}, states, watcher).follow([cell])
    return states[cell.id]


def test_a_result_may_become_visible_long_after_its_job_has_left_the_queue(
    plan, runs, squeue, later
):
    squeue("exit 0")
    cell = plan[0].cell
    later[50] = lambda: finish(cell, runs)
    assert followed(cell, "12", runs) == "done"
    assert not (runs / cell.folder / "failure.json").exists()


def test_a_job_that_left_nothing_has_failed_in_the_end(plan, runs, squeue, later):
    squeue("exit 0")
    cell = plan[0].cell
    assert followed(cell, "12", runs) == "failed"
    failure = json.loads((runs / cell.folder / "failure.json").read_text())
    assert failure["kind"] == "infrastructure"


def test_a_cell_that_another_run_is_at_is_followed_and_gets_no_job(plan, runs, later):
    first, second = plan
    claim = take_claim(runs / first.cell.folder, Observer().is_stale)
    later[1] = lambda: claim.beat(1, "epoch 1")
    now = with_held(plan, runs, NO_JOBS)
    assert [p.state for p in now] == ["running", "planned"]
    missing = missing_cells(now, NO_JOBS, resources_of(Execution(), None))
    assert not missing.batches
    assert missing.elsewhere == [first.cell]
    assert missing.out_of_reach == [second.cell]

    def end():
        finish(first.cell, runs)
        claim.release()

    later[100] = end
    assert followed(first.cell, "", runs) == "done"


def test_a_cell_that_another_run_left_as_it_was_is_missing_again(plan, runs, later):
    cell = plan[0].cell
    claim = take_claim(runs / cell.folder, Observer().is_stale)
    later[20] = claim.release
    assert followed(cell, "", runs) == "planned"
    (again, _) = with_held([replace(plan[0], state="running"), plan[1]], runs, NO_JOBS)
    assert again.state == "planned"


def test_a_claim_that_stands_still_on_another_machine_keeps_no_cell_from_its_job(
    plan, runs, later
):
    folder = runs / plan[0].cell.folder
    claim = take_claim(folder, Observer().is_stale)
    file = folder / f"claim-{claim.number}.json"
    here = json.loads(file.read_text())
    file.write_text(json.dumps({**here, "machine": "a node that died"}))
    (first, _) = with_held([replace(plan[0], state="running"), plan[1]], runs, NO_JOBS)
    assert first.state == "planned"


def test_a_live_job_goes_before_what_its_claim_says(plan):
    first = replace(plan[0], state="running")
    jobs = CellJobs({first.cell.id: JobStatus("12", "RUNNING")})
    missing = missing_cells([first], jobs, resources_of(Execution(), None))
    assert missing.followed == [first.cell]
    assert not missing.elsewhere


def test_time_of_earlier_jobs_counts_and_the_message_has_the_suites_limit(tmp_path):
    limits = {"time_limit_minutes": 60.0}
    fresh = Watchdog(Execution(**limits), tmp_path, 3000.0)
    assert fresh.look(os.getpid()) is None
    late = Watchdog(Execution(**limits), tmp_path, 3600.0)
    time.sleep(0.01)
    failure = late.look(os.getpid())
    assert failure.message == "took more than 60 minutes"


@pytest.mark.parametrize(
    ("cluster", "token"), [("lab", "bbbb"), ("ward", "aaaa")], ids=["anew", "other"]
)
def test_a_job_of_the_same_number_elsewhere_is_another_job(
    tmp_path, monkeypatch, cluster, token
):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "lab")
    monkeypatch.setenv("HARNESS_JOB", name_of_this_job("aaaa"))
    claim = take_claim(tmp_path, Observer().is_stale)
    file = tmp_path / f"claim-{claim.number}.json"
    here = json.loads(file.read_text())
    file.write_text(json.dumps({**here, "machine": "another node"}))
    assert Observer().is_stale(tmp_path, claim.number)
    monkeypatch.setenv("SLURM_CLUSTER_NAME", cluster)
    monkeypatch.setenv("HARNESS_JOB", name_of_this_job(token))
    assert not Observer().is_stale(tmp_path, claim.number)


def test_of_what_a_failing_squeue_says_the_conclusion_is_shown(squeue):
    squeue(
        "echo 'squeue: error: fetch_config: DNS SRV lookup failed' >&2\n"
        "echo 'squeue: fatal: Could not establish a configuration source' >&2\nexit 1"
    )
    expected = "^SLURM does not answer: Could not establish a configuration source$"
    with pytest.raises(SlurmError, match=expected):
        queue()
