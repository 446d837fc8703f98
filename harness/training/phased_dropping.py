"""What strategies share that drop samples between a warm-up and a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.errors import ConfigError
from harness.hooks import hookimpl
from harness.options.dropping import Dropping
from harness.plugin import Strategy

if TYPE_CHECKING:
    from harness.training.outputs import EpochReport
    from harness.training.run import Run


class PhasedDropping(Strategy):
    """Full epochs, then filtered ones, then full ones again.

    A subclass says in `select_epoch` or `select_samples` what the filtered epochs keep
    (`is_filtered`). The weights before and after the revision are kept as snapshots.
    """

    WARM_UP: ClassVar[str] = "warm-up"
    FILTERED: ClassVar[str] = "filtered"
    REVISION: ClassVar[str] = "revision"

    class Params(Dropping):
        """When nothing is dropped."""

        warmup_epochs: int = Field(0, ge=0, description="full epochs at the start")
        revision_epochs: int = Field(1, ge=0, description="full epochs at the end")

    def phase_of(self, run: Run, epoch: int) -> str:
        """The phase of an epoch of the fit under way.

        Raises
        ------
        ConfigError
            If the fit, which another strategy may have made short, drops nothing.
        """
        assert run.fitted is not None
        self._check_length(run.fitted.epochs)
        if epoch < self.params.warmup_epochs:
            return self.WARM_UP
        first_of_revision = run.fitted.epochs - self.params.revision_epochs
        return self.FILTERED if epoch < first_of_revision else self.REVISION

    def is_last(self, run: Run, epoch: int) -> bool:
        """Whether the fit under way ends with an epoch."""
        assert run.fitted is not None
        return epoch == run.fitted.epochs - 1

    def is_filtered(self, run: Run) -> bool:
        """Whether the epoch under way drops samples."""
        return self.phase_of(run, run.epoch) == self.FILTERED

    @hookimpl
    def setup(self, run: Run) -> None:
        """Refuse a budget under which nothing would be dropped, or nothing revised.

        Raises
        ------
        ConfigError
            Then, with what would be right.
        """
        params, budget = self.params, run.cell.budget
        self._check_length(budget.epochs)
        if params.revision_epochs and budget.early_stopping is not None:
            raise ConfigError(
                f"{self.name}: early stopping could end a fit before its revision; set "
                "revision_epochs = 0, or take early_stopping out of the budget"
            )

    def _check_length(self, epochs: int) -> None:
        warm_up, revision = self.params.warmup_epochs, self.params.revision_epochs
        if warm_up + revision >= epochs:
            raise ConfigError(
                f"{self.name}: {warm_up} warm-up and {revision} revision epochs leave "
                f"none of {epochs} to drop samples in"
            )

    @hookimpl
    def phase(self, run: Run) -> str:
        """Warm-up, then the filtered epochs, then revision."""
        return self.phase_of(run, run.epoch)

    @hookimpl
    def epoch_end(self, run: Run, report: EpochReport) -> None:
        """Keep the weights on both sides of revision: all accuracy may come from it."""
        last = self.is_last(run, report.epoch)
        if report.phase == self.REVISION:
            if last:
                run.snapshot("after-revision", **_axes(run, report))
        elif not last and self.phase_of(run, report.epoch + 1) == self.REVISION:
            run.snapshot("before-revision", **_axes(run, report))


def _axes(run: Run, report: EpochReport) -> dict[str, int]:
    """The outer loops, and which fit it is where several follow one another in them."""
    loops: dict[str, int] = report.row["loops"]
    begun = [row for row in run.history.rows if row["epoch"] == 0]
    fit = sum(row["loops"] == loops for row in begun) - 1
    return {**loops, "fit": fit} if fit else loops
