"""What tests of the whole house share: the command line, and one tiny finished run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands_here import POOL, call, run, torch_kept

pytest_plugins = ["requiring", "longest_files"]

# A shell's background job ignores Ctrl-C, and so would every command that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TINY_SUITE = """
name = "tiny"

[budget]
epochs = 2
batch_size = 16

[[dataset]]
use = "synthetic"
records = 60
duration = 2.0

[[model]]
use = "cnn1d"
width = 4

[[strategy]]
use = "majority"

[[strategy]]
use = "baseline"

[[strategy]]
use = "dbpd"
controls = false
"""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("HARNESS_DATA", beside)).resolve()
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}; set HARNESS_DATA")
    return folder


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class TinyRun:
    """A suite of three cells that is done; tests read it, and write elsewhere."""

    suite: Path
    runs: Path
    leaderboard: Path
    out: str

    def cell(self, strategy: str) -> Path:
        """The folder of a strategy's only cell."""
        (result,) = self.runs.glob(f"synthetic/*/{strategy}/*/result.json")
        return result.parent


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache that all tests have in common, those of other processes too; never the
    user's.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def _no_server_outlives_the_tests() -> Iterator[None]:
    yield
    POOL.end()


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> TinyRun:
    folder = tmp_path_factory.mktemp("tiny")
    suite = folder / "tiny.toml"
    suite.write_text(TINY_SUITE)
    runs, leaderboard = folder / "runs", folder / "leaderboard"
    places = ("--runs", runs, "--leaderboard", leaderboard)
    said = run("run", suite, "--device", "cpu", *places, cwd=folder)
    return TinyRun(suite, runs, leaderboard, said)


@pytest.fixture
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_cache: Path
) -> None:
    """No variable of the person who runs the tests, and an empty present folder."""
    for name in ("DATA", "PLUGINS", "RUNS"):
        monkeypatch.delenv(f"HARNESS_{name}", raising=False)
    monkeypatch.setenv("HARNESS_CACHE", str(shared_cache))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def harness(
    clean_environment: None,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Outcome]:
    """Call the command line in this process, as its entry point is called."""

    def ended(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = call(*arguments)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return ended


@pytest.fixture
def torch_as_before() -> Iterator[None]:
    """Undo what a cell's determinism changes in this process."""
    with torch_kept():
        yield
