"""Executors by name, one of them in a package that the harness knows nothing of."""

import json
import os

import pytest
from suites_to_run import BASELINE, results, run_apart, write_suite

PACKAGE = """
import os
import subprocess
import sys

from pydantic import Field

from harness import Parameters
from harness.execution.job import Job
from harness.results.state import state_of


class Table(Parameters):
    greeting: str = Field("hello", description="said before each cell")
    times: int = Field(1, ge=1)


class OneByOne:
    options = frozenset({"dry_run"})
    why_not = "is nothing to one who takes cells one by one"
    table = Table

    def __init__(self, request):
        self.request = request
        self.said = request.execution.table("one-by-one") or Table()

    def show(self, cells):
        for planned in cells:
            print(f"would run {planned.cell.title}")

    def run(self, cells, watching):
        runs = self.request.runs
        with watching(len(cells)) as watcher:
            for planned in cells:
                cell = planned.cell
                (runs / cell.folder).mkdir(parents=True, exist_ok=True)
                print(self.said.greeting * self.said.times, cell.title, flush=True)
                watcher.started(cell)
                subprocess.run(
                    [sys.executable, "-P", "-m", "harness.execution.worker"],
                    input=Job(cell, runs, self.request.execution).to_json(),
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                    text=True,
                    check=True,
                )
                watcher.ended(cell, state_of(cell, runs), "")
        return {p.cell.id: state_of(p.cell, runs) for p in cells}

    def after_stop(self):
        return ""

    @classmethod
    def job_notes(cls, runs):
        return {}

    @classmethod
    def cancel(cls, suite, runs):
        return False
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with an installed package that brings an executor, and a broken one."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "one_by_one.py").write_text(PACKAGE)
    about = folder / "one_by_one-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: one-by-one\n")
    (about / "entry_points.txt").write_text(
        "[harness.executors]\none-by-one = one_by_one:OneByOne\n"
        "broken = not_there:Executor\n"
    )
    return folder


@pytest.fixture(scope="module")
def command(site):
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])

    def call(*arguments, cwd, expect=0):
        return run_apart(*arguments, cwd=cwd, expect=expect, PYTHONPATH=path)

    return call


TABLE = '[execution.one-by-one]\ngreeting = "next: "\ntimes = 2'


def test_an_executor_of_another_package_runs_a_suite(command, tmp_path):
    suite = write_suite(tmp_path, BASELINE, TABLE)
    shown = command("run", str(suite), "--executor", "one-by-one", cwd=tmp_path)
    assert "next: next: " in shown
    assert "1 done" in shown
    board = json.loads((tmp_path / "leaderboard" / "small.json").read_text())
    assert board["states"] == {"done": 1}
    local = tmp_path / "local"
    local.mkdir()
    command("run", str(suite), "-q", cwd=local)
    assert results(tmp_path / "runs") == results(local / "runs")
    again = command("run", str(suite), "--executor", "one-by-one", cwd=tmp_path)
    assert "next" not in again


def test_its_dry_run_shows_and_runs_nothing(command, tmp_path):
    suite = write_suite(tmp_path, BASELINE)
    arguments = ("run", str(suite), "--executor", "one-by-one", "--dry-run")
    assert "would run synthetic / cnn1d / baseline" in command(*arguments, cwd=tmp_path)
    assert not (tmp_path / "runs").exists()


def test_options_that_say_nothing_of_it_are_refused(command, tmp_path):
    suite = write_suite(tmp_path, BASELINE)
    arguments = ("run", str(suite), "--executor", "one-by-one", "--workers", "2")
    shown = command(*arguments, "--no-wait", cwd=tmp_path, expect=2)
    for option in ("--workers", "--no-wait"):
        assert f"{option} is nothing to one who takes cells one by one" in shown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tims = 2", "one-by-one.tims: unknown key; did you mean 'times'?"),
        ("times = 0", "one-by-one.times: should be greater than or equal to 1, got 0"),
    ],
)
def test_a_mistake_in_its_table_is_told(command, tmp_path, line, said):
    suite = write_suite(tmp_path, BASELINE, f"[execution.one-by-one]\n{line}")
    shown = command("plan", str(suite), cwd=tmp_path, expect=2)
    assert said in shown
    assert "Traceback" not in shown


def test_a_table_of_nobody_is_an_unknown_key(command, tmp_path):
    suite = write_suite(tmp_path, BASELINE, "[execution.two-by-two]\ntimes = 1")
    shown = command("plan", str(suite), cwd=tmp_path, expect=2)
    assert "execution.two-by-two: unknown key" in shown


def test_an_unknown_executor_is_told_with_what_it_may_mean(command, tmp_path):
    suite = write_suite(tmp_path, BASELINE)
    arguments = ("run", str(suite), "--executor", "one-by-on")
    shown = command(*arguments, cwd=tmp_path, expect=2)
    assert "unknown 'one-by-on'; did you mean 'one-by-one'?" in shown


def test_one_that_cannot_be_imported_is_named_with_its_cause(command, tmp_path):
    suite = write_suite(tmp_path, BASELINE)
    arguments = ("run", str(suite), "--executor", "broken")
    shown = command(*arguments, cwd=tmp_path, expect=2)
    assert "executor 'broken' (not_there:Executor): ModuleNotFoundError" in shown
    assert "Traceback" not in shown


def test_the_help_names_all_of_them(command, tmp_path):
    shown = command("run", "--help", cwd=tmp_path)
    assert "--executor [local|slurm|broken|one-by-one]" in shown
