"""Suites whose cells become jobs, and what is asked of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster import Cluster, wait_for
from suites_to_run import Command, run, start, strategy_source, write_suite

SLOW = strategy_source(
    "slow",
    """    def after_step(self, run):
        import time
        from pathlib import Path

        if Path(__file__).with_name("hold").exists():
            time.sleep(1)
""",
)
SLOW_ENTRY = '\n[[strategy]]\nuse = "slow"\n'
AFTER = '''
from harness import Strategy, hookimpl


class After(Strategy):
    """Goes on from the weights of a cell that it requires."""

    name = "after"

    @hookimpl
    def requires(self, cell):
        return {"before": cell.replace(strategies=cell.strategies[1:])}
'''
RESOURCES = """
[execution.slurm]
partition = "main"
time_minutes = 30
memory_gib = 1.0
"""


class SlurmSuite:
    """A suite, and commands on it that know the cluster.

    Its cells dawdle between `hold()` and `let_go()`: two seconds take one step.
    """

    def __init__(
        self,
        folder: Path,
        cluster: Cluster,
        entries: str,
        *,
        epochs: int = 3,
        resources: str = RESOURCES,
        execution: str = "",
        **plugins: str,
    ) -> None:
        self.file = write_suite(folder, entries, execution + resources, **plugins)
        text = self.file.read_text().replace("epochs = 3", f"epochs = {epochs}")
        self.file.write_text(text)
        self.cluster = cluster
        self._hold = folder / "plugins" / "hold"

    def run(self, *options: str, cwd: Path, expect: int = 0) -> str:
        """`harness run --executor slurm`, to its end; what it said."""
        words = ("run", str(self.file), "--executor", "slurm", *options)
        return run(*words, cwd=cwd, expect=expect, **self.cluster.environment)

    @contextmanager
    def following(self, cwd: Path, *options: str) -> Iterator[Command]:
        """The same, not waited for; it doesn't outlive the block."""
        words = ("run", str(self.file), "--executor", "slurm", *options)
        command = start(*words, cwd=cwd, **self.cluster.environment)
        try:
            yield command
        finally:
            if command.poll() is None:
                command.kill()
                command.communicate()

    def plan(self, cwd: Path) -> str:
        return run("plan", str(self.file), cwd=cwd, **self.cluster.environment)

    def cancel(self, cwd: Path) -> str:
        return run("cancel", str(self.file), cwd=cwd, **self.cluster.environment)

    def hold(self) -> None:
        self._hold.touch()

    def let_go(self) -> None:
        self._hold.unlink(missing_ok=True)


def jobs_of(runs: Path) -> dict[str, str]:
    """The newest job of each cell, by strategy and seed."""
    files = (runs / "slurm").glob("*/jobs.json")
    records = [json.loads(path.read_text()) for path in files]
    numbered = [record for record in records if record["job"]]
    found = {}
    for record in sorted(numbered, key=lambda record: int(record["job"])):
        for i, folder in enumerate(record["folders"]):
            _, _, strategy, leaf = folder.split("/")
            alone = len(record["folders"]) == 1
            number = record["job"] if alone else f"{record['job']}_{i}"
            found[f"{strategy} {leaf.partition('-')[0]}"] = number
    return found


def wait_for_checkpoint(runs: Path, seconds: float = 90) -> Path:
    """The folder of the cell that has written one."""
    wait_for("a checkpoint", lambda: list(runs.rglob("checkpoint.pt")), seconds)
    return next(runs.rglob("checkpoint.pt")).parent


def attempts(runs: Path) -> list[int]:
    """How many processes worked on each cell that is done."""
    files = runs.rglob("measured.json")
    return sorted(json.loads(path.read_text())["attempts"] for path in files)
