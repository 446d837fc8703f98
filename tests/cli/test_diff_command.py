"""A change rehearsed in a repository of its own, from the command line."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

START = "from harness.cli.main import main; main()"

STRATEGY = '''
from harness import Strategy, hookimpl


class Mine(Strategy):
    """Trains as usual."""

    name = "mine"

    @hookimpl
    def select_samples(self, run, batch):
        return None
'''
WORSE = STRATEGY.replace(
    "return None",
    "[run.score(batch) for _ in range(3)]; return batch.labels == batch.labels[0]",
)

SUITE = """
name = "rehearsal"
seeds = [0, 1, 2]
plugins = ["plugins"]

[budget]
epochs = 8
batch_size = 16
optimizer = { use = "adamw", lr = 1e-2 }

[gate]
macro_f1 = 0.02

[[dataset]]
use = "synthetic"
records = 290
duration = 2.0

[[model]]
use = "cnn1d"
width = 8

[[strategy]]
use = "mine"
controls = false
"""


@dataclass(frozen=True)
class Repository:
    """A scratch repository with a suite, a plugin and a committed leaderboard."""

    root: Path
    environment: dict[str, str]

    def git(self, *arguments):
        names = ("user.name=A", "user.email=a@example.org", "commit.gpgsign=false")
        options = [word for name in names for word in ("-c", name)]
        done = subprocess.run(
            ["git", *options, *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def harness(self, *arguments):
        return subprocess.run(
            [sys.executable, "-c", START, *map(str, arguments)],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
        )

    def run(self, name):
        options = ["--runs", f"runs/{name}", "--workers", "1", "--device", "cpu"]
        done = self.harness("run", "suite.toml", "-q", *options)
        assert done.returncode == 0, done.stderr

    def measure(self, branch, name, content):
        """Commit a change on a branch of its own, and run the suite there."""
        self.git("switch", "-q", "-c", branch, "main")
        self.write(name, content)
        self.git("commit", "-qam", branch)
        self.run(branch)
        self.git("checkout", "-q", "--force", "main")
        return self.root / "runs" / branch


@pytest.fixture(scope="module")
def repository(tmp_path_factory, shared_cache):
    root = tmp_path_factory.mktemp("repository")
    environment = {**os.environ, "HARNESS_CACHE": str(shared_cache)}
    made = Repository(root, environment)
    made.git("init", "-q", "-b", "main")
    made.write("suite.toml", SUITE)
    made.write("plugins/mine.py", STRATEGY)
    made.write(".gitignore", "runs/\n__pycache__/\n")
    made.run("main")
    made.git("add", "-A")
    made.git("commit", "-qm", "A strategy and its leaderboard")
    yield made
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def worse(repository):
    return repository.measure("worse", "plugins/mine.py", WORSE)


@pytest.mark.parametrize("base", ["runs/main", "leaderboard/rehearsal.json"])
def test_a_strategy_made_worse_on_purpose_is_caught(repository, worse, base):
    told = repository.harness("diff", base, worse)
    gated = repository.harness("diff", base, worse, "--gate")

    assert (told.returncode, gated.returncode) == (0, 1)
    assert gated.stdout == told.stdout
    assert "**Refused by the gate**" in gated.stdout
    assert "macro-F1 fell by" in gated.stdout
    assert "macro_f1 0.02" in gated.stdout
    assert "training FLOPs rose by" in gated.stdout
    assert "2 refused" in gated.stderr


@pytest.mark.parametrize("base", ["runs/main", "leaderboard/rehearsal.json"])
def test_a_rerun_with_other_seeds_is_not(repository, base):
    runs = repository.root / "runs" / "again"
    if not runs.exists():
        others = SUITE.replace("[0, 1, 2]", "[10, 11, 12]")
        repository.measure("again", "suite.toml", others)
    gated = repository.harness("diff", base, runs, "--gate", "--format", "json")

    assert gated.returncode == 0
    found = json.loads(gated.stdout)
    assert found["changed"] is False
    assert found["rows"][0]["verdict"] == "within noise"


def test_the_thresholds_of_a_file_go_before_those_of_the_base(repository, worse):
    lenient = repository.root / "lenient.toml"
    limits = "macro_f1 = 1.0\ntraining_flops = false"
    lenient.write_text(SUITE.replace("macro_f1 = 0.02", limits))

    gated = repository.harness("diff", "runs/main", worse, "--gate", "--suite", lenient)

    assert gated.returncode == 0
    assert "Let pass: macro_f1 1, peak_memory_bytes 5 %" in gated.stdout


def test_mistakes_end_in_one_message(harness, tmp_path, tiny_run):
    (tmp_path / "foreign.json").write_text("{}")
    (tmp_path / "cut.json").write_text('{"schema_version": 1, "suite": ')
    board = tiny_run.leaderboard / "tiny.json"
    for arguments, problem in (
        ((tmp_path / "foreign.json", board), "foreign.json: is no leaderboard"),
        ((board, tmp_path / "cut.json"), "cut.json: is no leaderboard: no JSON"),
        ((tmp_path, board), "is no runs folder"),
        ((board, tmp_path / "none"), "no such runs folder or file"),
        ((board, board, "--suite", "other"), "is of suite 'tiny', not 'other'"),
        ((board, board, "--suite", "none.toml"), "no such suite file"),
    ):
        ended = harness("diff", *arguments, "--gate")
        assert ended.code == 2
        assert ended.out == ""
        assert problem in ended.err
        assert "Traceback" not in ended.err


def test_a_finished_suite_is_the_same_as_itself(harness, tiny_run):
    ended = harness("diff", tiny_run.leaderboard / "tiny.json", tiny_run.runs, "--gate")

    assert ended.code == 0
    assert "no measurable change in 3 rows" in ended.out
