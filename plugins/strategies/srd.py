"""Scalar random dropout: fewer random records in each epoch, by a fixed schedule."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from harness import Field, PhasedDropping, Preset, equal_budget, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from torch import Tensor

    from harness import Batch, Cell, Run

FAITHFUL = Preset(
    params={"unit": "batch", "schedule": "geometric", "gamma": 0.99},
    about="as in the published code: 0.99^t of each batch, rounded down",
    footnote="SRD as published rounds down in every batch: it trains on less than its "
    "schedule says, and from some epoch on (345 with batches of 32) on nothing until "
    "the revision",
)


class ScalarRandomDropout(PhasedDropping):
    """Train on a random share of the records that shrinks by a schedule.

    In epoch t, round(f(t) N) of the N training records are drawn without replacement,
    anew for each epoch and at least one. t counts all epochs of a fit from 0, those of
    a warm-up included: filtering begins at f(warmup_epochs), not at f(0) = 1. The last
    `revision_epochs` train on everything. Nothing is scored.

    Schedules, with x = t + 1, each divided by its value at x = 1:

    - `geometric`: gamma^t
    - `log`: ln(1 + a) / ln(x + a)
    - `inverse-linear`: (1 + a) / (x + a)
    - `power`: x^-a
    - `exponential`: e^-ax
    - `sigmoid`: 1 - 1 / (1 + e^-ax)

    The published code draws int(f(t) n) of each batch of n instead, and skips a batch
    of which that is none: `unit = "batch"`. It rounds down in every batch, so that
    from some epoch on (68 with gamma .95 and batches of 32) it trains on nothing; a
    warning in the cell's log says from which.
    """

    name = "srd"
    version = 1
    reference = (
        "Progressive Data Dropout, arXiv 2505.22342 (NeurIPS 2025), section 3.3 and "
        'appendix E; unit = "batch": algorithm 1'
    )
    presets: ClassVar[Mapping[str, Preset]] = {"faithful": FAITHFUL}

    class Params(PhasedDropping.Params):
        """How many records an epoch draws."""

        unit: Literal["epoch", "batch"] = Field(
            "epoch", description="what the share is drawn from"
        )
        schedule: Literal[
            "geometric", "log", "inverse-linear", "power", "exponential", "sigmoid"
        ] = Field("geometric", description="how the share shrinks")
        gamma: float = Field(
            0.95, gt=0, le=1, description="geometric: an epoch's share of the last one"
        )
        a: float = Field(
            2.0,
            gt=0,
            le=100,
            description="of all other schedules; published for log and inverse-linear",
        )

        @model_validator(mode="after")
        def _nothing_is_scored(self) -> Self:
            if self.batchnorm != "kept":
                raise ValueError(
                    f'batchnorm = "{self.batchnorm}" takes its statistics from a '
                    "scoring pass, and nothing is scored"
                )
            return self

        def share(self, epoch: int) -> float:
            """f(t), of table "variants": 1 in epoch 0."""
            x, a = epoch + 1, self.a
            match self.schedule:
                case "geometric":
                    return self.gamma**epoch
                case "log":
                    return math.log(1 + a) / math.log(x + a)
                case "inverse-linear":
                    return (1 + a) / (x + a)
                case "power":
                    return math.pow(x, -a)
                case "exponential":
                    return math.exp(-a * epoch)
                case "sigmoid":
                    # 1 - 1 / (1 + e^-ax) = e^-ax / (1 + e^-ax)
                    return (
                        math.exp(-a * epoch)
                        * (1 + math.exp(-a))
                        / (1 + math.exp(-a * x))
                    )

        def of_epoch(self, epoch: int, records: int) -> int:
            """K_t of N records, where the whole set is drawn from (section 3.3)."""
            return max(1, round(self.share(epoch) * records))

        def of_batch(self, epoch: int, samples: int) -> int:
            """What is drawn of one batch (algorithm 1)."""
            return int(self.share(epoch) * samples)

    @hookimpl
    def controls(self, cell: Cell) -> Mapping[str, Cell]:
        """Baselines of equal budget: it is random itself."""
        return equal_budget(cell)

    @hookimpl
    def setup(self, run: Run) -> None:
        """Tell of epochs in which little is left."""
        super().setup(run)
        params, budget = self.params, run.cell.budget
        size, end = budget.batch_size, budget.epochs - params.revision_epochs
        for epoch in range(params.warmup_epochs, end):
            if params.unit == "batch" and params.of_batch(epoch, size) == 0:
                told = f"nothing of a batch of {size} is drawn, and nothing trained on"
            elif (
                params.unit == "epoch" and params.of_epoch(epoch, len(run.train)) < size
            ):
                told = f"fewer records are drawn than a batch of {size} holds"
            else:
                continue
            warnings.warn(f"srd: from epoch {epoch} on, {told}", stacklevel=1)
            return

    @hookimpl
    def select_epoch(self, run: Run) -> tuple[np.ndarray, None] | None:
        """Draw K_t of all records, without replacement."""
        if self.params.unit != "epoch" or not self.is_filtered(run):
            return None
        records = len(run.train)
        number = self.params.of_epoch(run.epoch, records)
        return run.rng("srd").choice(records, number, replace=False), None

    @hookimpl
    def select_samples(self, run: Run, batch: Batch) -> Tensor | None:
        """Draw int(f(t) n) of a batch of n."""
        if self.params.unit != "batch" or not self.is_filtered(run):
            return None
        number = self.params.of_batch(run.epoch, len(batch))
        return drawn(run, len(batch), number)


def drawn(run: Run, samples: int, number: int) -> Tensor:
    """A mask, bool, shape (samples,), that is True in `number` random places."""
    import torch

    mask = torch.zeros(samples, dtype=torch.bool)
    mask[torch.from_numpy(run.rng("srd").permutation(samples)[:number])] = True
    return mask.to(run.device)
