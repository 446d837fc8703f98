"""Jobs that can't end well: what is told, and what becomes of those that need them."""

import pytest
from cluster import wait_for
from slurm_suites import AFTER, SlurmSuite, jobs_of
from suites_to_run import BASELINE, strategy_source

BROKEN = strategy_source(
    "broken", "    def setup(self, run):\n        raise KeyError('oh')\n"
)
STUCK = strategy_source(
    "stuck", "    def setup(self, run):\n        import time\n        time.sleep(600)\n"
)
ENTRIES = """
[[strategy]]
use = "stuck"

[[strategy]]
use = ["after", "broken"]
"""
RESOURCES = """
[execution.slurm]
max_requeues = 0
signal_seconds = 1
"""


@pytest.fixture(scope="module")
def failed(cluster, tmp_path_factory):
    """A suite of which each cell fails in its own way, and what was said."""
    folder = tmp_path_factory.mktemp("failing")
    sources = {"stuck": STUCK, "after": AFTER, "broken": BROKEN}
    suite = SlurmSuite(folder, cluster, ENTRIES, resources=RESOURCES, **sources)
    runs = folder / "runs"
    with suite.following(folder) as following:
        wait_for("jobs", lambda: len(jobs_of(runs)) == 3)
        wait_for("it works", lambda: list(runs.glob("*/*/stuck/*/claim-*.json")), 90)
        cluster.command("scancel", "--signal=USR2", jobs_of(runs)["stuck 0"])
        output, _ = following.communicate(timeout=180)
    assert following.returncode == 1, output
    return suite, folder, output


def test_a_failed_requirement_blocks_what_requires_it(failed):
    suite, folder, output = failed
    assert "plugin 'broken' (broken.py, line 11): KeyError: 'oh'" in output
    assert "requires synthetic / cnn1d / broken / seed 0, which failed" in output
    job = suite.cluster.job(jobs_of(folder / "runs")["after+broken 0"])
    assert job["JobState"] == "CANCELLED"
    assert job["Reason"] == "DependencyNeverSatisfied"
    shown = suite.plan(folder)
    assert "blocked" in shown
    assert "DependencyNeverSatisfied" in shown
    page = (folder / "leaderboard" / "small.md").read_text()
    assert "blocked" in page


def test_a_job_that_never_comes_further_is_given_up(failed):
    suite, folder, output = failed
    assert (
        "time-limit: its job was stopped before it could write a new checkpoint: give "
        "it more time, or checkpoint_minutes" in output
    )
    job = suite.cluster.job(jobs_of(folder / "runs")["stuck 0"])
    assert job["JobState"] == "FAILED"
    assert job["Restarts"] == "0"


def test_what_failed_is_submitted_again_with_what_requires_it(failed):
    suite, folder, _ = failed
    shown = suite.run("--dry-run", cwd=folder)
    assert "3 jobs would be submitted" in shown


def test_fail_fast_cancels_jobs_that_wait(cluster, tmp_path):
    entries = '\n[[strategy]]\nuse = "broken"\n' + BASELINE
    resources = "\n[execution.slurm]\narray_width = 1\n"
    suite = SlurmSuite(tmp_path, cluster, entries, resources=resources, broken=BROKEN)
    runs = tmp_path / "runs"
    with suite.following(tmp_path, "--fail-fast") as following:
        wait_for("jobs", lambda: len(jobs_of(runs)) == 2)
        waiting = jobs_of(runs)["baseline 0"]
        # It would else start in the moment in which the other one fails.
        cluster.command("scontrol", "hold", waiting)
        output, _ = following.communicate(timeout=120)
    assert following.returncode == 1, output
    assert f"job {waiting} was cancelled" in output
    assert cluster.job(waiting)["JobState"] == "CANCELLED"
    assert not list(runs.rglob("result.json"))


def test_a_job_that_the_cluster_refuses_is_told_as_the_cluster_says_it(
    cluster, tmp_path
):
    resources = '\n[execution.slurm]\npartition = "golden"\n'
    sources = {"stuck": STUCK, "after": AFTER, "broken": BROKEN}
    suite = SlurmSuite(tmp_path, cluster, ENTRIES, resources=resources, **sources)
    output = suite.run(cwd=tmp_path, expect=2)
    assert "the jobs could not be submitted: " in output
    assert "invalid partition specified: golden" in output
    assert "Traceback" not in output
    assert not list((tmp_path / "runs" / "slurm").glob("*/jobs.json"))
