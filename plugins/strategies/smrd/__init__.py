"""Schedule-matched random dropout: as many records as another strategy kept, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from harness import (
    CellError,
    ConfigError,
    Field,
    PhasedDropping,
    Preset,
    equal_budget,
    hookimpl,
)

from .replay import COUNTS, Replay

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np
    from torch import Tensor

    from harness import Batch, Cell, EpochReport, Run


FAITHFUL = Preset(
    params={"counts": "replayed", "draw": "epoch"},
    about="as in the paper's text: K_t of all records, drawn before the epoch",
    footnote="SMRD as in the paper's text: the samples of an epoch come in fewer and "
    "fuller batches than DBPD's, so that the two differ in optimizer steps, too",
)
FAITHFUL_ONLINE = Preset(
    params={"counts": "online", "score_mode": "train", "batchnorm": "both"},
    about="as in the paper's algorithm 1 and the published code: as many of each batch "
    "as the present model, scored in train mode, finds hard",
    footnote="SMRD as in the published code: its counts follow its own model and "
    "aren't matched to DBPD's (the paper's table 1 has 35 effective epochs of it "
    "beside 24.8 of DBPD)",
)


class ScheduleMatchedRandomDropout(PhasedDropping):
    """Train on random records, as many in each epoch as difficulty would keep.

    It tells what a selection by difficulty is worth beyond its number of samples.

    `counts = "replayed"` takes the counts from a finished cell: `dbpd` with the same
    parameters, or, as a control, whatever strategy stands in its place. Epochs are
    matched by their outer loops and number, so that it can stand inside the rounds of
    another strategy. A fit ends where that cell's did. It ends with as many samples,
    or with an error. Nothing is scored: phases, `confidence`, `score_mode` and
    `min_keep` describe `dbpd` alone.

    - `draw = "batch"`: batches are those of the other cell, and each keeps as many
      random samples as were kept of it there. So counts and optimizer steps are equal,
      and what is left to differ is which samples. An epoch of which the other cell
      didn't see every record once (chosen before the epoch, as `infobatch` and the
      reused epochs of `dbpd` are) is drawn as a whole.
    - `draw = "epoch"` (the paper's text): K_t of all training records are drawn
      without replacement. They come in full batches, K_t / B steps, where `dbpd` takes
      up to N / B steps on small ones.

    `by_class` matches the counts of each class, too: of the epoch, or of each batch.
    Where a batch has one sample of a class, that is the one that the other cell kept.

    `counts = "online"` (the paper's algorithm 1) needs no other cell: of every batch
    it keeps as many random samples as the present model, itself trained on random
    ones, gives less than `confidence`. It scores as `dbpd` does, and isn't matched:
    the paper's table 1 has 35 effective epochs of it beside 24.8 of `dbpd`.
    """

    name = "smrd"
    version = 1
    reference = (
        "Progressive Data Dropout, arXiv 2505.22342 (NeurIPS 2025), section 3.4; "
        'counts = "online": algorithm 1'
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "faithful": FAITHFUL,
        "faithful-online": FAITHFUL_ONLINE,
    }

    class Params(PhasedDropping.Params):
        """Whose counts are matched."""

        counts: Literal["replayed", "online"] = Field(
            "replayed",
            description="of a finished cell, or of the model that is being trained",
        )
        draw: Literal["batch", "epoch"] = Field(
            "batch",
            description="replayed: as many of each batch, in as many steps; or as many "
            "of the epoch alone",
        )
        by_class: bool = Field(
            False, description="replayed: match the counts of each class, too"
        )
        confidence: float = Field(
            0.3, ge=0, le=1, description="of dbpd: what has less counts as hard"
        )
        score_mode: Literal["eval", "train"] = Field(
            "eval", description="of dbpd: mode of the model while it scores"
        )

        @model_validator(mode="after")
        def _settings_fit(self) -> Self:
            if self.batchnorm != "kept" and self.score_mode != "train":
                raise ValueError(
                    f'batchnorm = "{self.batchnorm}" takes its statistics from the '
                    'scoring pass, which needs score_mode = "train"'
                )
            if self.by_class and self.counts == "online":
                raise ValueError('by_class needs counts = "replayed"')
            if self.draw == "epoch" and self.counts == "online":
                raise ValueError('draw = "epoch" needs counts = "replayed"')
            return self

        @model_validator(mode="after")
        def _statistics_have_a_source(self) -> Self:
            by_batch = self.counts == "replayed" and self.draw == "batch"
            if by_batch and self.batchnorm == "full":
                raise ValueError(
                    'batchnorm = "full" takes its statistics from a scoring pass, and '
                    'counts = "replayed" scores nothing; take "both", or draw = "epoch"'
                )
            return self

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(params)
        self._found: Replay | None = None

    @property
    def _replays(self) -> bool:
        return bool(self.params.counts == "replayed")

    def _other(self, run: Run) -> Replay:
        """The epochs of the cell whose counts are repeated."""
        self._found = self._found or Replay(run)
        return self._found

    # --- while planning ----------------------------------------------------------

    @hookimpl
    def requires(self, cell: Cell) -> Mapping[str, Cell]:
        """The dbpd cell whose counts are repeated, where no other was given."""
        if not self._replays or COUNTS in cell.given:
            return {}
        params = self.params.model_dump(exclude={"counts", "draw", "by_class"})
        (dbpd,) = cell.with_strategy("dbpd", **params).strategies
        others = [dbpd if c.name == self.name else c for c in cell.strategies]
        return {COUNTS: cell.replace(strategies=tuple(others))}

    @hookimpl
    def controls(self, cell: Cell) -> Mapping[str, Cell]:
        """Baselines of equal budget: it is random itself."""
        return equal_budget(cell)

    # --- both ways ---------------------------------------------------------------

    @hookimpl
    def setup(self, run: Run) -> None:
        """Refuse phases that don't fit the budget, and classes that can't be counted.

        The phases of replayed counts are the other cell's.
        """
        if not self._replays:
            super().setup(run)
            return
        mixes = [a.use for a in run.cell.budget.augment if a.use != "random-crop"]
        if self.params.by_class and (run.task != "single-label" or mixes):
            labels = f"{mixes[0]} mixes them" if mixes else "the task is multi-label"
            raise ConfigError(
                f"smrd: by_class needs one class per sample, but {labels}; set "
                "by_class = false"
            )

    def phase_of(self, run: Run, epoch: int) -> str:
        """As of the strategy that is matched."""
        if not self._replays:
            return super().phase_of(run, epoch)
        return self._other(run).phase(epoch)

    # --- counts = "replayed" -----------------------------------------------------

    @hookimpl
    def select_epoch(self, run: Run) -> tuple[np.ndarray, None] | None:
        """Draw K_t of all records, or of each class, without replacement.

        Nothing is drawn yet where each batch keeps its own number.
        """
        import numpy as np

        if not self._replays or self._kept(run) is not None:
            return None
        other = self._other(run)
        row = other.row(run.epoch)
        if row is None:
            return None
        rng, records = run.rng("smrd"), np.arange(len(run.train))
        if not self.params.by_class:
            return rng.choice(records, other.count(row["kept"], records), False), None
        labels = run.train.labels.numpy()
        parts = [records[labels == i] for i in range(len(run.classes))]
        by_class = row.get("kept_by_class", {})
        kept = [by_class.get(name) for name in run.classes]
        chosen = [
            rng.choice(part, other.count(number, part), False)
            for part, number in zip(parts, kept, strict=True)
        ]
        return np.concatenate(chosen), None

    @hookimpl(wrapper=True)
    def should_stop(self, run: Run, report: EpochReport) -> Generator[None, bool, bool]:
        """Stop where the other cell's fit did, whatever this one's validation says."""
        stops = yield
        return self.is_last(run, report.epoch) if self._replays else stops

    def is_last(self, run: Run, epoch: int) -> bool:
        """Whether the other cell's fit ended with that epoch."""
        ends = self._replays and self._other(run).row(epoch + 1) is None
        return ends or super().is_last(run, epoch)

    @hookimpl(wrapper=True)
    def train(self, run: Run) -> Generator[None, bool, bool]:
        """See in the end that the sum of K_t is the other cell's."""
        trained = yield
        if self._replays:
            own = sum(row["kept"] for row in run.history.rows)
            other = self._other(run)
            if own != other.samples:
                raise CellError(
                    f"smrd: trained on {own} samples in all, {other} on {other.samples}"
                )
        return trained

    def _kept(self, run: Run) -> np.ndarray | None:
        """What the other cell kept of this epoch: bool, shape (records,); None where
        the epoch is drawn as a whole.
        """
        return None if self.params.draw == "epoch" else self._other(run).kept()

    # --- of each batch -----------------------------------------------------------

    @hookimpl
    def select_samples(self, run: Run, batch: Batch) -> Tensor | None:
        """Keep as many random samples as the other cell, or as the model finds hard."""
        if self._replays:
            return self._as_kept(run, batch)
        return self._as_hard(run, batch) if self.is_filtered(run) else None

    def _as_kept(self, run: Run, batch: Batch) -> Tensor | None:
        """As many as were kept of this batch, or of each of its classes."""
        import torch

        kept = self._kept(run)
        if kept is None or kept.all():
            return None
        index = batch.index.cpu()
        of_batch = torch.from_numpy(kept)[index]
        drawn, rng = torch.zeros_like(of_batch), run.rng("smrd")
        classes = run.train.labels[index] if self.params.by_class else of_batch * 0
        for c in classes.unique():
            candidates = (classes == c).nonzero().squeeze(1).numpy()
            number = int(of_batch[candidates].sum())
            drawn[rng.permutation(candidates)[:number]] = True
        return drawn.to(run.device)

    def _as_hard(self, run: Run, batch: Batch) -> Tensor:
        """As many as have p(true class) < confidence."""
        params = self.params
        scores = run.score(
            batch,
            params.score_mode,
            update_buffers=params.batchnorm != "kept",
            losses=False,
        )
        hard = scores.true_class_probability < params.confidence
        if params.confidence == 0:
            hard = ~scores.correct
        # The core would fill a batch up with the hardest, which aren't random.
        number = max(int(hard.sum()), min(params.min_keep, len(batch)))
        drawn = run.rng("smrd").permutation(len(batch))[:number]
        mask = hard.new_zeros(len(batch))
        mask[drawn] = True
        return mask
