"""A tracker that writes down what it is told, and reading that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DIARY = '''
import json
import os
import signal
from pathlib import Path

from harness import Field, Tracker, hookimpl


class Diary(Tracker):
    """Writes a line for all that it is told."""

    name = "diary"

    class Params(Tracker.Params):
        file: str = Field("diary.jsonl", description="where to")

    def _write(self, hook, **said):
        with Path(self.params.file).open("a") as stream:
            stream.write(json.dumps({"hook": hook, **said}) + "\\n")

    @hookimpl
    def suite_started(self, suite):
        print("a word on standard output")
        self._write("suite_started", suite=suite.name, runs=str(suite.runs))

    @hookimpl
    def cell_started(self, cell, epochs):
        said = {"parameters": dict(cell.parameters), "folder": str(cell.folder)}
        self._write("cell_started", cell=cell.strategy, epochs=epochs, **said)

    @hookimpl
    def epoch_finished(self, cell, epoch):
        if epoch.number == 1:
            MISHAP
        said = {"epoch": epoch.number, "figures": epoch.figures, "row": epoch.row}
        self._write("epoch_finished", cell=cell.strategy, **said)

    @hookimpl
    def cell_finished(self, cell, outcome):
        said = {"state": outcome.state, "message": outcome.message}
        said |= {"epochs": outcome.epochs, "figures": outcome.figures}
        self._write("cell_finished", cell=cell.strategy, **said)

    @hookimpl
    def suite_finished(self, suite, states):
        self._write("suite_finished", states=states)
'''


def diary(mishap: str = "pass", name: str = "diary") -> str:
    """The source of a tracker that writes a diary.

    Parameters
    ----------
    mishap
        A statement that is run when the second epoch of a cell is told.
    """
    source = DIARY.replace("MISHAP", mishap).replace('"diary"', f'"{name}"')
    return source.replace("diary.jsonl", f"{name}.jsonl")


def entries(folder: Path, name: str = "diary") -> list[dict[str, Any]]:
    """What a diary holds."""
    path = folder / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def told(folder: Path, name: str = "diary") -> list[str]:
    """The diary in short: hooks with the cell, and the epoch or the state."""
    return [
        " ".join(str(e[k]) for k in ("hook", "cell", "epoch", "state") if k in e)
        for e in entries(folder, name)
    ]


def epochs_known(folder: Path, strategy: str) -> list[int]:
    """How many epochs of a strategy's only cell each tracker is known to have."""
    memories = folder.glob(f"runs/*/*/{strategy}/*/trackers/small/*.json")
    return sorted(json.loads(path.read_text())["epochs"] for path in memories)
