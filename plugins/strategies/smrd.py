"""Schedule-matched random dropout: as many records as another strategy kept, drawn."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from harness import (
    CellError,
    ConfigError,
    Field,
    PhasedDropping,
    equal_budget,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np
    from torch import Tensor

    from harness import Batch, Cell, EpochReport, Run

COUNTS = "counts"
Row = dict[str, Any]


class ScheduleMatchedRandomDropout(PhasedDropping):
    """Train on random records, as many in each epoch as difficulty would keep.

    It tells what a selection by difficulty is worth beyond its number of samples.

    `counts = "replayed"` (the paper's text) takes K_t from the history of a finished
    cell: `dbpd` with the same parameters, or, as a control, whatever strategy stands
    in its place. In epoch t, K_t of all training records are drawn without
    replacement; `by_class` draws as many of each class as that cell kept. Epochs are
    matched by their outer loops and number, so that it can stand inside the rounds of
    another strategy. A fit ends where that cell's did. It ends with as many samples,
    or with an error. Nothing is scored, and the settings for dropped samples describe
    `dbpd` alone.

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

    class Params(PhasedDropping.Params):
        """Whose counts are matched."""

        counts: Literal["replayed", "online"] = Field(
            "replayed",
            description="of a finished cell, or of the model that is being trained",
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
            return self

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(params)
        self._matched: defaultdict[str, list[Row]] | None = None

    @property
    def _replays(self) -> bool:
        return bool(self.params.counts == "replayed")

    # --- while planning ----------------------------------------------------------

    @hookimpl
    def requires(self, cell: Cell) -> Mapping[str, Cell]:
        """The dbpd cell whose counts are repeated, where no other was given."""
        if not self._replays or COUNTS in cell.given:
            return {}
        params = self.params.model_dump(exclude={"counts", "by_class"})
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
        elif self.params.by_class and run.task != "single-label":
            raise ConfigError(
                "smrd: by_class needs one class per record, but the task is "
                "multi-label; set by_class = false"
            )

    def phase_of(self, run: Run, epoch: int) -> str:
        """As of the strategy that is matched."""
        if not self._replays:
            return super().phase_of(run, epoch)
        row = self._row(run, epoch)
        if row is None:
            raise CellError(
                f"smrd: {_cell(run)} has no epoch {epoch} in {_loops(run) or 'its fit'}"
                ": its epochs aren't those of this cell"
            )
        return str(row["phase"])

    # --- counts = "replayed" -----------------------------------------------------

    @hookimpl
    def select_epoch(self, run: Run) -> tuple[np.ndarray, None] | None:
        """Draw K_t of all records, or of each class, without replacement."""
        import numpy as np

        row = self._row(run, run.epoch) if self._replays else None
        if row is None:
            return None
        rng, records = run.rng("smrd"), np.arange(len(run.train))
        if not self.params.by_class:
            return rng.choice(records, _count(run, row["kept"], records), False), None
        labels = run.train.labels.numpy()
        parts = [records[labels == i] for i in range(len(run.classes))]
        by_class = row.get("kept_by_class", {})
        kept = [by_class.get(name) for name in run.classes]
        chosen = [
            rng.choice(part, _count(run, number, part), False)
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
        ends = self._replays and self._row(run, epoch + 1) is None
        return ends or super().is_last(run, epoch)

    @hookimpl(wrapper=True)
    def train(self, run: Run) -> Generator[None, bool, bool]:
        """See in the end that the sum of K_t is the other cell's."""
        trained = yield
        if self._replays:
            own = sum(row["kept"] for row in run.history.rows)
            matched = sum(
                row["kept"] for rows in self._rows(run).values() for row in rows
            )
            if own != matched:
                raise CellError(
                    f"smrd: trained on {own} samples in all, {_cell(run)} on {matched}"
                )
        return trained

    def _row(self, run: Run, epoch: int) -> Row | None:
        """The other cell's epoch at this place; None where it had none."""
        place = _place(_loops(run), epoch)
        # Where fits follow one another within a loop, the same place comes again.
        before = sum(_place_of(row) == place for row in run.history.rows)
        rows = self._rows(run).get(place, [])
        return rows[before] if before < len(rows) else None

    def _rows(self, run: Run) -> Mapping[str, list[Row]]:
        """The other cell's epochs, by place."""
        if self._matched is None:
            self._matched = defaultdict(list)
            for row in run.required(COUNTS).history:
                if not {"loops", "epoch", "phase", "kept"} <= row.keys():
                    raise CellError(f"smrd: {_cell(run)} has a history without counts")
                self._matched[_place_of(row)].append(row)
        return self._matched

    # --- counts = "online" -------------------------------------------------------

    @hookimpl
    def select_samples(self, run: Run, batch: Batch) -> Tensor | None:
        """Keep as many random samples as have p(true class) < confidence."""
        params = self.params
        if self._replays or not self.is_filtered(run):
            return None
        scores = run.score(
            batch, params.score_mode, update_buffers=params.batchnorm != "kept"
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


def _loops(run: Run) -> dict[str, int]:
    return {k: v for k, v in run.loops.indices.items() if k != "epoch"}


def _place(loops: Mapping[str, int], epoch: int) -> str:
    return f"{sorted(loops.items())} {epoch}"


def _place_of(row: Row) -> str:
    return _place(row["loops"], row["epoch"])


def _cell(run: Run) -> str:
    return f"the cell whose counts are repeated ({run.requirements[COUNTS].id})"


def _count(run: Run, number: Any, records: np.ndarray) -> int:
    """A count of the other cell's, as far as it can be drawn from these records.

    Raises
    ------
    CellError
        If it can't: labels were mixed, or it has other records.
    """
    if type(number) is not int or not 0 <= number <= len(records):
        raise CellError(
            f"smrd: {_cell(run)} kept {number} of {len(records)} records; a whole "
            "number of these can be drawn alone"
        )
    return number
