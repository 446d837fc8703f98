"""Difficulty-based progressive data dropout, with its revision phase."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from harness import ConfigError, Field, PhasedDropping, Preset, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from torch import Tensor

    from harness import Batch, Run, Scores

REUSED = "reused"
ROUNDING = 1e-9

# The other settings of the published code are the defaults.
AS_PUBLISHED = {"score_mode": "train", "batchnorm": "both"}
PUBLISHED_PHASES = {"confidence": 0.3, "warmup_epochs": 0, "revision_epochs": 1}
ADAMW = {"use": "adamw", "lr": 3e-4, "weight_decay": 0.01}

FAITHFUL = Preset(
    params=AS_PUBLISHED,
    about="as in the published code: scored in train mode, BatchNorm moved by both "
    "passes, mean over what is kept, one revision epoch",
    footnote="DBPD as published: samples are judged with dropout at work and by the "
    "statistics of their batch, and BatchNorm learns from dropped samples too. The "
    "published count of effective epochs leaves the scoring passes out: compare FLOPs",
)
PUBLISHED_ECG = Preset(
    params={**AS_PUBLISHED, **PUBLISHED_PHASES},
    about="the published recipe for ECGs: as faithful, on its own budget of 100 epochs",
    budget={
        "epochs": 100,
        "batch_size": 32,
        "optimizer": ADAMW,
        "schedule": {"use": "step", "gamma": 0.98, "epochs": 1.0},
    },
)
ORIGIN = Preset(
    params={**AS_PUBLISHED, **PUBLISHED_PHASES},
    about="the paper's own training: as faithful, at the constant rate to which its "
    "scheduler comes down (it is handed the validation loss for an epoch number)",
    budget={
        "batch_size": 32,
        "optimizer": ADAMW,
        "schedule": {"use": "constant"},
    },
)
CLEAN = Preset(
    params={
        "score_mode": "eval",
        "batchnorm": "kept",
        "reestimate_batchnorm": True,
        "min_keep": 2,
    },
    about="scored in eval mode, BatchNorm re-estimated before each validation, at "
    "least two samples of each batch",
)


class DifficultyBasedDropout(PhasedDropping):
    """Train only on samples that the model finds hard; end with full epochs.

    In every batch of the filtered phase the model scores all samples without
    gradients, and only those whose true class is given a probability below
    `confidence` are sent through again and trained on. A confidence of 0 keeps what
    is misclassified. The last `revision_epochs` train on everything. Nothing is
    dropped for good: each epoch scores every sample anew.

    By default scoring is in eval mode and leaves BatchNorm alone. The published code
    scores in train mode and lets that pass move the running statistics: the preset
    `faithful`.

    Variants, which combine:

    - `adapt_every`: the threshold rises by `adapt_by` every so many filtered epochs,
      and falls back to `confidence` when it would reach 1.
    - `alternate`: every other filtered epoch trains on what the epoch before kept,
      without scoring.
    - `stratify`: as many samples of a batch as the threshold would keep, but of every
      class in it, in proportion and hardest first. Where anything is kept, at least
      one of each class is, so that many classes in small batches keep more.
    """

    name = "dbpd"
    version = 1
    reference = "Progressive Data Dropout, arXiv 2505.22342 (NeurIPS 2025), section 3.2"
    presets: ClassVar[Mapping[str, Preset]] = {
        "faithful": FAITHFUL,
        "published-ecg": PUBLISHED_ECG,
        "origin": ORIGIN,
        "clean": CLEAN,
    }

    class Params(PhasedDropping.Params):
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
        adapt_every: int = Field(
            0,
            ge=0,
            description="filtered epochs between rises of the threshold; 0: it stays",
        )
        adapt_by: float = Field(
            0.1, gt=0, le=1, description="how much the threshold rises"
        )
        adapt: Literal["stepped", "cumulative"] = Field(
            "stepped",
            description="rise once every `adapt_every` epochs, or, as the published "
            "code does, in each epoch by `adapt_by` times the intervals so far",
        )
        alternate: bool = Field(
            False, description="score in every other filtered epoch only"
        )
        stratify: bool = Field(
            False, description="spread what is kept over the classes of the batch"
        )

        @model_validator(mode="after")
        def _statistics_come_from_scoring(self) -> Self:
            if self.batchnorm != "kept" and self.score_mode != "train":
                raise ValueError(
                    f'batchnorm = "{self.batchnorm}" takes its statistics from the '
                    'scoring pass, which needs score_mode = "train"'
                )
            return self

        @model_validator(mode="after")
        def _no_threshold_no_rise(self) -> Self:
            if self.adapt_every and self.confidence == 0:
                raise ValueError(
                    "confidence = 0 keeps what is misclassified, by no threshold that "
                    "adapt_every could raise"
                )
            return self

        def threshold(self, epoch: int) -> float:
            """Tau of an epoch of the fit (table of variants, "adaptive")."""
            filtered = epoch - self.warmup_epochs
            if not self.adapt_every:
                return self.confidence
            if self.adapt == "stepped":
                rises = math.ceil((1 - self.confidence) / self.adapt_by - ROUNDING)
                steps = filtered // self.adapt_every % max(1, rises)
                return self.confidence + steps * self.adapt_by
            tau = self.confidence
            for t in range(filtered + 1):
                tau += t // self.adapt_every * self.adapt_by
                tau = tau if tau < 1 - ROUNDING else self.confidence
            return tau

    @property
    def batch_independent(self) -> bool:  # type: ignore[override]
        """Whether a sample is kept whatever the others of its batch are."""
        return not self.params.stratify

    def phase_of(self, run: Run, epoch: int) -> str:
        """As the family's, with epochs of their own that reuse what was kept."""
        phase = super().phase_of(run, epoch)
        filtered = epoch - self.params.warmup_epochs
        reuses = self.params.alternate and phase == self.FILTERED and filtered % 2
        return REUSED if reuses else phase

    @hookimpl
    def setup(self, run: Run) -> None:
        """Refuse what can't be stratified, beside what no phases fit into."""
        super().setup(run)
        mixes = [a.use for a in run.cell.budget.augment if a.use != "random-crop"]
        if self.params.stratify and (run.task != "single-label" or mixes):
            labels = f"{mixes[0]} mixes them" if mixes else "the task is multi-label"
            raise ConfigError(
                f"dbpd: stratify needs one class per sample, but {labels}; set "
                "stratify = false"
            )

    @hookimpl
    def select_epoch(self, run: Run) -> tuple[np.ndarray, None] | None:
        """Reuse what the epoch before has kept, where this one doesn't score."""
        if self.params.adapt_every and self.is_filtered(run):
            run.log(threshold=self.params.threshold(run.epoch))
        last = run.kept_records.last
        # Nothing is known yet on the way back to a checkpoint inside such an epoch,
        # which holds its records itself.
        if self.phase_of(run, run.epoch) != REUSED or last is None:
            return None
        return last.nonzero()[0], None

    @hookimpl
    def select_samples(self, run: Run, batch: Batch) -> Tensor | None:
        """Keep the hard ones: p(true class) < tau, strictly."""
        if not self.is_filtered(run):
            return None
        scores = run.score(
            batch,
            self.params.score_mode,
            update_buffers=self.params.batchnorm != "kept",
            losses=self.params.criterion == "loss",
        )
        hard = self._is_hard(scores, self.params.threshold(run.epoch))
        if self.params.stratify:
            return spread(hard, scores.true_class_probability, batch.labels)
        return hard

    def _is_hard(self, scores: Scores, threshold: float) -> Tensor:
        if threshold == 0:
            return ~scores.correct
        if self.params.criterion == "loss":
            return scores.losses > -math.log(threshold)
        return scores.true_class_probability < threshold


def spread(hard: Tensor, probability: Tensor, labels: Tensor) -> Tensor:
    """As many as are hard, but of every class: bool, shape (batch,).

    The j-th hardest of a class of n has rank j / n, and the lowest ranks are kept
    (Adams' method of apportionment): the classes' shares are those of the batch, none
    goes without. Equal ranks go to the harder sample.

    Parameters
    ----------
    hard
        bool, shape (batch,): below the threshold.
    probability
        Of the true class, shape (batch,).
    labels
        Class indices, shape (batch,).
    """
    kept = hard.new_zeros(len(hard))
    if not hard.any():
        return kept
    hardest_first = probability.argsort(stable=True)
    of_class = labels[hardest_first, None] == labels.unique()
    sizes = of_class.sum(0)
    rank = ((of_class.cumsum(0) - 1) * of_class / sizes).sum(1)
    number = max(int(hard.sum()), len(sizes))
    kept[hardest_first[rank.argsort(stable=True)[:number]]] = True
    return kept
