"""`harness` commands on a very small suite, here or in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

from commands_here import run as run

SUITE = """
name = "small"
seeds = [0]
plugins = ["plugins"]

[budget]
epochs = 3
batch_size = 16
optimizer = {{ use = "adamw", lr = 1e-2 }}

[execution]
checkpoint_seconds = 0.0
checkpoint_minutes = 1e-9
{execution}

[[dataset]]
use = "synthetic"
records = 60
duration = 2.0

[[model]]
use = "cnn1d"
{strategies}
"""
BASELINE = '\n[[strategy]]\nuse = "baseline"\n'
DBPD = '\n[[strategy]]\nuse = "dbpd"\nconfidence = 0.4\ncontrols = false\n'

MARK = "HARNESS_TEST_RUN"
"""A variable that all processes of one command have: they may be nobody's children."""


def write_suite(
    folder: Path, strategies: str, execution: str = "", **plugins: str
) -> Path:
    """A suite file with drop-in plugins beside it."""
    (folder / "plugins").mkdir(parents=True, exist_ok=True)
    for name, source in plugins.items():
        (folder / "plugins" / f"{name}.py").write_text(source)
    path = folder / "small.toml"
    path.write_text(SUITE.format(strategies=strategies, execution=execution))
    return path


def strategy_source(name: str, body: str) -> str:
    """A drop-in strategy with one hook."""
    return (
        "from harness import Strategy, hookimpl\n\n\n"
        f"class Test(Strategy):\n"
        f'    """A strategy for tests."""\n\n'
        f'    name = "{name}"\n\n'
        f"    @hookimpl\n{body}"
    )


class Command(subprocess.Popen[str]):
    """A `harness` command, and the mark of all processes that it starts."""

    mark: str


def start(*arguments: str, cwd: Path, **environment: str) -> Command:
    """Begin a `harness` command in a process group of its own."""
    mark = uuid.uuid4().hex
    command = Command(
        [sys.executable, "-m", "harness", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", MARK: mark, **environment},
        start_new_session=True,
    )
    command.mark = mark
    return command


def run_apart(*arguments: str, cwd: Path, expect: int = 0, **environment: str) -> str:
    """As `run`, in a process of its own."""
    process = start(*arguments, cwd=cwd, **environment)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == expect, output
    return output


def family(command: Command) -> list[int]:
    """The living processes that a command started, whoever their parent is by now."""
    marked = f"{MARK}={command.mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # One that ends meanwhile has no environment any more.
            with suppress(OSError):
                if marked in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def kill_everything(command: Command) -> None:
    """SIGKILL a command and all that it started, until none is left."""
    with suppress(ProcessLookupError):
        os.killpg(command.pid, signal.SIGKILL)
    while alive := family(command):
        for pid in alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)
    command.communicate()


def results(runs: Path) -> dict[str, bytes]:
    """Every `result.json` below a folder of runs, by cell."""
    return {
        path.parent.relative_to(runs).as_posix(): path.read_bytes()
        for path in sorted(runs.rglob("result.json"))
    }
