"""What a process is asked to do with a cell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.cell import Cell
from harness.options import Execution
from harness.results.claim import Observer


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do.

    `stale_claim` is the number of a claim that was seen to stand still, 0 if none was.
    """

    cell: Cell
    runs: Path
    execution: Execution
    stale_claim: int = 0

    def to_json(self) -> str:
        """The text that a worker reads."""
        return json.dumps(
            {
                "cell": self.cell.to_dict(),
                "runs": str(self.runs.resolve()),
                "execution": self.execution.model_dump(mode="json"),
                "stale_claim": self.stale_claim,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job that `to_json` wrote."""
        data = json.loads(text)
        execution = Execution.model_validate(data["execution"])
        cell, runs = Cell.from_dict(data["cell"]), Path(data["runs"])
        return cls(cell, runs, execution, data["stale_claim"])

    @property
    def folder(self) -> Path:
        """Where the cell's result lies."""
        return self.runs / self.cell.folder

    def may_overtake(self, folder: Path, number: int) -> bool:
        """Whether nobody works under that claim any more."""
        return number == self.stale_claim or Observer().is_stale(folder, number)
