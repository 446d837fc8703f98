"""A disk that is full, or that nothing may be written to."""

import json
import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from killing import differences, final_files, litter
from suites_to_run import BASELINE, DBPD, run, run_apart, write_suite

FILLING = Path(__file__).with_name("filling.py")
NAMESPACES = ("--user", "--map-root-user", "--mount")


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return write_suite(tmp_path_factory.mktemp("disk"), BASELINE + DBPD)


@pytest.fixture(scope="module")
def unbroken(suite, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    run("run", str(suite), "-q", cwd=folder)
    return folder / "runs"


def failures(runs):
    return [json.loads(path.read_text()) for path in runs.rglob("failure.json")]


def the_cell(runs, strategy):
    (folder,) = runs.glob(f"synthetic/cnn1d/{strategy}/*")
    return folder


@contextmanager
def small_files(size):
    """Processes that are started here can't write files of more than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def read_only(folder):
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(mode)


def run_as_user(*arguments, cwd, expect, **environment):
    """As `run`, without the rights by which root writes where nobody may."""
    prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = subprocess.run(
        [
            *(prefix if os.geteuid() == 0 else []),
            *(sys.executable, "-m", "harness", *arguments),
        ],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    said = done.stdout + done.stderr
    assert done.returncode == expect, said
    assert "Traceback" not in said
    return said


def test_a_file_that_finds_no_room_fails_its_cell_with_the_reason(
    suite, unbroken, tmp_path
):
    with small_files(100_000):
        said = run_apart("run", str(suite), cwd=tmp_path, expect=1)
    assert "Traceback" not in said
    assert said.count("disk: ") == 2
    found = failures(tmp_path / "runs")
    assert [failure["kind"] for failure in found] == ["disk"] * 2
    assert all("File too large" in failure["message"] for failure in found)
    assert all("checkpoint" in failure["message"] for failure in found)
    assert not list(tmp_path.rglob("*.tmp"))

    run("run", str(suite), "-q", cwd=tmp_path)
    assert differences(tmp_path / "runs", unbroken) == []
    assert litter(tmp_path / "runs") == []


def test_a_disk_that_gets_full_halfway_costs_nothing_that_was_done(
    suite, unbroken, tmp_path
):
    command = [sys.executable, "-m", "harness", "run", str(suite), "--workers", "1"]
    done = subprocess.run(
        ["unshare", *NAMESPACES, sys.executable, FILLING, tmp_path, *command],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    if "unshare failed" in done.stderr:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    (code, said), (again, said_again) = json.loads(done.stdout)

    assert code == 1, said
    assert said.count("disk: ") == 2
    assert "Traceback" not in said
    first = tmp_path / "after-1"
    # What stood when the disk was full stands still, and is where it goes on from.
    assert (the_cell(first, "baseline") / "checkpoint.pt").stat().st_size > 0
    assert not list(first.rglob("claim-*"))
    assert again == 0, said_again
    assert differences(tmp_path / "after-2", unbroken) == []
    assert litter(tmp_path / "after-2") == []


def test_a_folder_that_cannot_be_written_is_found_out_before_the_first_cell(
    suite, tmp_path
):
    (tmp_path / "file").touch()
    locked = tmp_path / "locked"
    locked.mkdir()
    with read_only(locked):
        for option in ("--runs", "--leaderboard"):
            for place in ("locked", "locked/inner", "file", "file/inner"):
                said = run_as_user(
                    *("run", str(suite), option, place), cwd=tmp_path, expect=2
                )
                assert f"results can't be written to {place}: " in said
        said = run_as_user(
            "run", str(suite), cwd=tmp_path, expect=2, HARNESS_CACHE=str(locked)
        )
        assert f"Permission denied: {locked}" in said
    assert not list(tmp_path.rglob("claim-*"))
    assert not list(tmp_path.rglob("log.txt"))


def test_a_cell_whose_folder_is_locked_fails_and_the_others_do_not(
    suite, unbroken, tmp_path
):
    runs = tmp_path / "runs"
    shutil.copytree(unbroken, runs)
    cell = the_cell(runs, "baseline")
    for path in cell.iterdir():
        path.unlink()
    shutil.rmtree(the_cell(runs, "dbpd"))
    with read_only(cell):
        said = run_as_user("run", str(suite), cwd=tmp_path, expect=1)
    assert "disk: Permission denied" in said
    assert cell.name in said
    assert "1 done, 1 failed" in said

    run("run", str(suite), "-q", cwd=tmp_path)
    assert differences(runs, unbroken) == []


def test_results_in_a_folder_that_nobody_may_write_can_still_be_read(
    suite, unbroken, tmp_path
):
    shutil.copytree(unbroken, tmp_path / "runs")
    folders = [p for p in (tmp_path / "runs").rglob("*") if p.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        said = run_as_user("plan", str(suite), cwd=tmp_path, expect=0)
        assert "2 done" in said
        run_as_user("report", str(suite), cwd=tmp_path, expect=0)
        assert "dbpd" in (tmp_path / "leaderboard" / "small.md").read_text()
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert final_files(tmp_path / "runs") == final_files(unbroken)
