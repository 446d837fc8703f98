"""Real `harness` processes on a very small suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

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
DBPD = '\n[[strategy]]\nuse = "dbpd"\nconfidence = 0.4\n'


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


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Begin a `harness` command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def run(*arguments: str, cwd: Path, expect: int = 0) -> str:
    """Run a `harness` command to its end; what it said."""
    process = start(*arguments, cwd=cwd)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == expect, output
    return output


def kill_everything(process: subprocess.Popen[str]) -> None:
    """SIGKILL a command and all that it started, as the kernel would."""
    try:
        family = [process, *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = [process]
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.communicate()


def results(runs: Path) -> dict[str, bytes]:
    """Every `result.json` below a folder of runs, by cell."""
    return {
        path.parent.relative_to(runs).as_posix(): path.read_bytes()
        for path in sorted(runs.rglob("result.json"))
    }
