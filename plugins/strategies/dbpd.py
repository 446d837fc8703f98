"""Difficulty-based progressive data dropout, with its revision phase."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from harness import ConfigError, Dropping, Field, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from harness import Batch, EpochReport, Run

WARM_UP, FILTERED, REVISION = "warm-up", "filtered", "revision"


class DifficultyBasedDropout(Strategy):
    """Train only on samples that the model finds hard; end with full epochs.

    In every batch of the filtered phase the model scores all samples without
    gradients, and only those whose true class is given a probability below
    `confidence` are sent through again and trained on. A confidence of 0 keeps what
    is misclassified. The last `revision_epochs` train on everything. Nothing is
    dropped for good: each epoch scores every sample anew.

    By default scoring is in eval mode and leaves BatchNorm alone. The published code
    scores in train mode and lets that pass move the running statistics:
    `score_mode = "train"`, `batchnorm = "both"`.
    """

    name = "dbpd"
    batch_independent = True
    version = 1
    reference = "Progressive Data Dropout, arXiv 2505.22342 (NeurIPS 2025), section 3.2"

    class Params(Dropping):
        """What is kept, when, and how it is judged."""

        confidence: float = Field(
            0.3,
            ge=0,
            le=1,
            description="keep samples whose true class has less; 0: "
            "keep what is misclassified",
        )
        criterion: Literal["confidence", "loss"] = Field(
            "confidence",
            description="threshold on the probability, or on the loss, "
            "at -ln(confidence)",
        )
        score_mode: Literal["eval", "train"] = Field(
            "eval", description="mode of the model while it scores"
        )
        warmup_epochs: int = Field(0, ge=0, description="full epochs at the start")
        revision_epochs: int = Field(1, ge=0, description="full epochs at the end")

        @model_validator(mode="after")
        def _statistics_come_from_scoring(self) -> Self:
            if self.batchnorm != "kept" and self.score_mode != "train":
                raise ValueError(
                    f'batchnorm = "{self.batchnorm}" takes its statistics from the '
                    'scoring pass, which needs score_mode = "train"'
                )
            return self

    @hookimpl
    def setup(self, run: Run) -> None:
        """Refuse a budget under which nothing would be dropped, or nothing revised."""
        params, budget = self.params, run.cell.budget
        if params.warmup_epochs + params.revision_epochs >= budget.epochs:
            raise ConfigError(
                f"dbpd: {params.warmup_epochs} warm-up and {params.revision_epochs} "
                f"revision epochs leave none of {budget.epochs} to drop samples in"
            )
        if params.revision_epochs and budget.early_stopping is not None:
            raise ConfigError(
                "dbpd: early stopping could end a fit before its revision; set "
                "revision_epochs = 0, or take early_stopping out of the budget"
            )

    @hookimpl
    def phase(self, run: Run) -> str:
        """Warm-up, then the filtered epochs, then revision."""
        if run.epoch < self.params.warmup_epochs:
            return WARM_UP
        first_of_revision = run.fitted.epochs - self.params.revision_epochs
        return FILTERED if run.epoch < first_of_revision else REVISION

    @hookimpl
    def select_samples(self, run: Run, batch: Batch) -> Tensor | None:
        """Keep the hard ones: p(true class) < confidence, strictly."""
        if run.hook.phase(run=run) != FILTERED:
            return None
        scores = run.score(
            batch,
            self.params.score_mode,
            update_buffers=self.params.batchnorm != "kept",
        )
        threshold = self.params.confidence
        if threshold == 0:
            return ~scores.correct
        if self.params.criterion == "loss":
            return scores.losses > -math.log(threshold)
        return scores.true_class_probability < threshold

    @hookimpl
    def epoch_end(self, run: Run, report: EpochReport) -> None:
        """Keep the weights on both sides of revision: all accuracy may come from it."""
        if self.params.revision_epochs == 0:
            return
        epochs, rounds = run.fitted.epochs, report.row["loops"]
        if report.epoch == epochs - self.params.revision_epochs - 1:
            run.snapshot("before-revision", **rounds)
        elif report.epoch == epochs - 1:
            run.snapshot("after-revision", **rounds)
