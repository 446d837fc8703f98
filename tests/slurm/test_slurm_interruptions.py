"""Whatever happens to a job, its cell goes on and ends in the same bytes."""

import json
import os
import signal

import pytest
from cluster import wait_for
from slurm_suites import (
    SLOW,
    SLOW_ENTRY,
    SlurmSuite,
    attempts,
    jobs_of,
    wait_for_checkpoint,
)
from suites_to_run import results, run

EPOCHS = 20


@pytest.fixture(scope="module")
def suite(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("interruptions")
    return SlurmSuite(folder, cluster, SLOW_ENTRY, epochs=EPOCHS, slow=SLOW)


@pytest.fixture(scope="module")
def unbroken(suite, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    suite.let_go()
    run("run", str(suite.file), "-q", cwd=folder)
    return results(folder / "runs")


@pytest.fixture
def held(suite, unbroken):
    """The suite, so slow that something can happen to it."""
    suite.hold()
    yield suite
    suite.let_go()
    suite.cluster.command("scancel", "--user", str(os.getuid()))


def restarts(cluster, job):
    return int(cluster.job(job)["Restarts"])


def wait_until_put_back(cluster, job, times=1):
    """Until SLURM has the job in its queue again."""
    wait_for(
        f"job {job} is back in the queue",
        lambda: (
            restarts(cluster, job) == times
            and cluster.job(job)["JobState"] == "PENDING"
        ),
        90,
    )


def test_a_preempted_job_goes_on_where_it_was(held, unbroken, tmp_path):
    cluster, runs = held.cluster, tmp_path / "runs"
    with held.following(tmp_path) as following:
        wait_for_checkpoint(runs)
        (job,) = jobs_of(runs).values()
        node = cluster.job(job)["NodeList"]
        assert f"running on {node} (job {job})" in held.plan(tmp_path)
        following.send_signal(signal.SIGINT)
        output, _ = following.communicate(timeout=60)
    assert following.returncode == 75, output
    assert "`harness cancel small` ends them" in output
    assert cluster.queue()[job] == "RUNNING"

    words = ("--partition=urgent", f"--nodelist={node}", "--exclusive")
    words += ("--output=/dev/null", "--wrap=sleep 300", "--parsable")
    urgent = cluster.command("sbatch", *words)
    wait_until_put_back(cluster, job)
    wait_for("the urgent job runs", lambda: cluster.queue()[urgent] == "RUNNING")
    assert not list(runs.rglob("claim-*.json"))
    assert f"queued (job {job}, BeginTime), requeued once" in held.plan(tmp_path)

    cluster.command("scancel", urgent)
    held.let_go()
    # As if the command had been killed before it could note the job's number down.
    (record,) = runs.glob("slurm/*/jobs.json")
    record.write_text(record.read_text().replace(f'"job": "{job}"', '"job": ""'))
    cluster.start_again(job)
    output = held.run(cwd=tmp_path)
    assert f"nothing to submit; job {job} submitted earlier" in output
    assert results(runs) == unbroken
    assert attempts(runs) == [2]


def test_a_job_is_warned_put_back_by_others_and_cancelled(held, unbroken, tmp_path):
    cluster, runs = held.cluster, tmp_path / "runs"
    output = held.run("--no-wait", cwd=tmp_path)
    (job,) = jobs_of(runs).values()
    assert f"submitted job {job}" in output
    assert not list(tmp_path.rglob("*.md"))
    folder = wait_for_checkpoint(runs)

    cluster.command("scancel", "--signal=USR2", job)
    wait_until_put_back(cluster, job)
    cluster.start_again(job)
    wait_for("it works again", lambda: list(folder.glob("claim-*.json")))

    # As a node's end does: nobody is warned.
    cluster.command("scontrol", "requeue", job)
    wait_until_put_back(cluster, job, times=2)
    cluster.start_again(job)
    wait_for("it works again", lambda: list(folder.glob("claim-*.json")))

    assert f"cancelling job {job} (1 at work, 0 waiting)" in held.cancel(tmp_path)
    assert cluster.job(job)["JobState"] == "CANCELLED"
    assert (folder / "checkpoint.pt").exists()
    assert not list(folder.glob("claim-*.json"))
    assert f"cancelled (job {job})" in held.plan(tmp_path)
    assert "no jobs wait or are at work" in held.cancel(tmp_path)

    held.let_go()
    held.run(cwd=tmp_path)
    assert jobs_of(runs)["slow 0"] != job
    assert results(runs) == unbroken
    assert attempts(runs) == [4]


def test_two_nodes_write_into_one_folder_and_a_killed_process_is_replaced(
    cluster, tmp_path
):
    resources = "\n[execution.slurm]\ncpus = 2\n"
    suite = SlurmSuite(tmp_path, cluster, SLOW_ENTRY, resources=resources, slow=SLOW)
    suite.file.write_text(suite.file.read_text().replace("[0]", "[0, 1]"))
    suite.hold()
    runs = tmp_path / "runs"
    with suite.following(tmp_path) as following:
        both = lambda: len(list(runs.rglob("checkpoint.pt"))) == 2  # noqa: E731
        wait_for("two checkpoints", both, 90)
        jobs = jobs_of(runs)
        nodes = {cluster.job(job)["NodeList"] for job in jobs.values()}
        assert nodes == {"node1", "node2"}

        (claim,) = runs.glob("*/*/*/0-*/claim-*.json")
        os.kill(json.loads(claim.read_text())["pid"], signal.SIGKILL)
        suite.let_go()
        output, _ = following.communicate(timeout=120)
    assert following.returncode == 0, output
    assert attempts(runs) == [1, 2]
    run("run", str(suite.file), "-q", "--runs", "local", cwd=tmp_path)
    assert results(runs) == results(tmp_path / "local")
