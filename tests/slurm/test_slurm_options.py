"""What may be said about jobs, and what would be submitted: no cluster is needed."""

import json

import pytest
from slurm_suites import AFTER
from suites_to_run import BASELINE, write_suite

from harness.results.claim import Observer, take_claim

SUITE_RESOURCES = """
[execution.slurm]
partition = "cpu"
time_minutes = 90
"""
PUPILS = BASELINE + '\n[[strategy]]\nuse = ["after", "baseline"]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Plugins of one place are read once."""
    return tmp_path_factory.mktemp("options")


@pytest.fixture
def suite(folder):
    def write(execution="", entries=PUPILS, seeds="[0, 1]"):
        path = write_suite(folder, entries, execution, after=AFTER)
        path.write_text(path.read_text().replace("[0]", seeds))
        return path

    return write


@pytest.fixture
def submission(harness, suite):
    """What a dry run prints."""

    def show(*options, execution="", entries=PUPILS):
        path = suite(execution, entries)
        done = harness("run", path, "--executor", "slurm", "--dry-run", *options)
        assert done.code == 0, done.err
        return done.out

    return show


def sbatch_lines(shown):
    return [line for line in shown.splitlines() if line.startswith("  sbatch")]


def test_a_dry_run_shows_arrays_dependencies_and_resources(submission, tmp_path):
    shown = submission(execution=SUITE_RESOURCES)
    first, *dependents = sbatch_lines(shown)
    assert "--array=0-1%2" in first
    assert "--partition=cpu" in first
    assert "--time=90" in first
    assert "--cpus-per-task=1" in first
    assert "--requeue" in first
    assert "--signal=USR2@120" in first
    assert "--dependency" not in first
    # Each depends on the very element of the array that computes what it requires.
    for i, line in enumerate(dependents):
        assert f"--dependency=afterok:#1_{i} " in line
        assert "--kill-on-invalid-dep=yes" in line
        assert "--array" not in line
    assert len(dependents) == 2
    assert "seed 1  (after before #1_1)" in shown
    assert "4 jobs would be submitted; nothing was" in shown
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "leaderboard").exists()


def test_resources_follow_threads_processes_and_limits(submission):
    execution = """
processes = 2
time_limit_minutes = 100
memory_limit_gib = 2.5

[execution.slurm]
gpus = 1
gpu_type = "a100"
array_width = 1
account = "heart"
qos = "low"
constraint = "ib&ssd"
setup = ["module load cuda"]
options = { nice = 10, exclusive = true }
"""
    shown = submission(execution=execution)
    first = sbatch_lines(shown)[0].split()
    assert {
        "--time=110",
        "--mem=2560M",
        "--cpus-per-task=2",
        "--gres=gpu:a100:2",
        "--array=0-1%1",
        "--account=heart",
        "--qos=low",
        "--constraint=ib&ssd",
        "--nice=10",
        "--exclusive",
    } <= set(first)
    assert "setup: module load cuda" in shown
    assert "seed 0, 2 processes" in shown


def test_a_profile_goes_before_the_suite(submission, tmp_path, monkeypatch):
    file = tmp_path / "night.toml"
    file.write_text('partition = "night"\n')
    (line, *_) = sbatch_lines(
        submission("--profile", file, execution=SUITE_RESOURCES, entries=BASELINE)
    )
    assert "--partition=night" in line
    assert "--time=90" in line

    profiles = tmp_path / "config" / "ecg-harness" / "profiles"
    profiles.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (profiles / "big.toml").write_text("memory_gib = 64\n")
    (line, *_) = sbatch_lines(submission("--profile", "big", entries=BASELINE))
    assert "--mem=65536M" in line


def test_all_mistakes_of_a_profile_are_told_at_once(harness, suite, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text(
        'partitoin = "x"\ntime_minutes = "long"\ngpus = 3\n'
        'account = "a b"\noptions = { array = "0-9" }\n'
    )
    done = harness("run", suite(), "--executor", "slurm", "--profile", file)
    assert done.code == 2
    assert f"{file}:" in done.err
    assert "partitoin: unknown key; did you mean 'partition'?" in done.err
    assert "time_minutes: should be a valid integer, got 'long'" in done.err
    assert "gpus: should be less than or equal to 1, got 3" in done.err
    assert "account: should be one word, got 'a b'" in done.err
    assert "options: 'array' can't be given here" in done.err
    assert "Traceback" not in done.err


def test_mistakes_of_a_suites_table_are_told_with_its_others(harness, suite):
    path = suite('[execution.slurm]\ngpu_type = "a100"\nwidth = 3\n')
    done = harness("plan", path)
    assert done.code == 2
    assert "execution.slurm.width: unknown key" in done.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ngiht", "did you mean 'night'?"),
        ("absent.toml", "absent.toml: can't be read as TOML: No such file"),
    ],
)
def test_a_profile_that_is_not_there(
    harness, suite, tmp_path, monkeypatch, name, message
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    profiles = tmp_path / "ecg-harness" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "night.toml").write_text("")
    done = harness("run", suite(), "--executor", "slurm", "--profile", name)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dry-run"], "--dry-run is about jobs: it needs --executor slurm"),
        (["--profile", "x"], "--profile is about jobs: it needs --executor slurm"),
        (["--no-wait"], "--no-wait is about jobs: it needs --executor slurm"),
        (["--executor", "slurm", "--workers", "2"], "--workers is about this machine"),
        (["--executor", "slurm", "--device", "cpu"], "--device is about this machine"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(harness, suite, options, message):
    done = harness("run", suite(), *options)
    assert done.code == 2
    assert message in done.err


def test_without_slurm_the_message_says_what_is_missing(
    harness, suite, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = harness("run", suite(), "--executor", "slurm")
    assert done.code == 2
    assert "sbatch" in done.err
    assert "start it on a machine from which jobs can be submitted" in done.err
    assert not list((tmp_path / "runs").glob("slurm/*"))


def test_cancelling_what_was_never_submitted_is_no_error(harness, suite):
    done = harness("cancel", suite())
    assert done.code == 0
    assert done.out == "suite small: no jobs wait or are at work\n"


def test_a_job_that_was_put_back_overtakes_its_own_claim_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_JOB", "12_3")
    claim = take_claim(tmp_path, Observer().is_stale)
    file = tmp_path / f"claim-{claim.number}.json"
    here = json.loads(file.read_text())
    file.write_text(json.dumps({**here, "machine": "a node that died"}))
    assert Observer().is_stale(tmp_path, claim.number)
    monkeypatch.setenv("HARNESS_JOB", "12_4")
    assert not Observer().is_stale(tmp_path, claim.number)
    monkeypatch.delenv("HARNESS_JOB")
    assert not Observer().is_stale(tmp_path, claim.number)
