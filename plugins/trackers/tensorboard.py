"""Cells as runs of TensorBoard: curves, final figures and hyperparameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from harness import (
    CellOutcome,
    Field,
    TrackedCell,
    TrackedEpoch,
    TrackedSuite,
    Tracker,
    hookimpl,
)

HPARAM_METRICS = ("test/macro_f1", "cost/flops/training", "cost/effective_epochs")
"""What the table of hyperparameters shows beside them."""


class TensorBoard(Tracker):
    """Event files for TensorBoard, a run a cell.

    Each epoch's figures stand at its number, from 0; those of the finished cell at the
    number of its epochs.
    """

    name = "tensorboard"
    packages: ClassVar = {"tensorboard": "pip install 'ecg-harness[tensorboard]'"}

    class Params(Tracker.Params):
        """Where event files go."""

        folder: str | None = Field(
            None,
            description="of the event files; default: tensorboard/SUITE in the folder "
            "of results",
        )

    def destination(self, suite: TrackedSuite) -> str:
        """The folder of the event files."""
        return str(self._folder(suite))

    def _folder(self, suite: TrackedSuite) -> Path:
        default = suite.runs / "tensorboard" / suite.name
        return Path(self.params.folder).resolve() if self.params.folder else default

    @hookimpl
    def suite_started(self, suite: TrackedSuite) -> None:
        """Begin without any run."""
        self._suite = suite
        self._writers: dict[str, Any] = {}

    @hookimpl
    def cell_started(self, cell: TrackedCell, epochs: int) -> None:
        """Open the cell's event file, and write its parameters."""
        from torch.utils.tensorboard import SummaryWriter

        below = cell.folder.relative_to(self._suite.runs)
        folder = self._folder(self._suite) / below
        # What a killed process wrote of later epochs is to be passed over.
        writer = SummaryWriter(str(folder), purge_step=epochs)
        self._writers[cell.id] = writer
        if epochs == 0:
            for summary in _hparams(cell)[:2]:
                writer.file_writer.add_summary(summary)
        writer.flush()

    @hookimpl
    def epoch_finished(self, cell: TrackedCell, epoch: TrackedEpoch) -> None:
        """Write the epoch's figures."""
        writer = self._writers[cell.id]
        for name, value in epoch.figures.items():
            writer.add_scalar(name, value, epoch.number)
        writer.flush()

    @hookimpl
    def cell_finished(self, cell: TrackedCell, outcome: CellOutcome) -> None:
        """Write the final figures, and close the file."""
        writer = self._writers.pop(cell.id)
        for name, value in outcome.figures.items():
            writer.add_scalar(name, value, outcome.epochs)
        if outcome.state == "done":
            writer.file_writer.add_summary(_hparams(cell)[2])
        writer.close()


def _hparams(cell: TrackedCell) -> tuple[Any, Any, Any]:
    """What TensorBoard wants to know of a run's parameters: which there are, their
    values, and that the run is over.
    """
    from torch.utils.tensorboard.summary import hparams

    return hparams(dict(cell.parameters), dict.fromkeys(HPARAM_METRICS, 0.0))
