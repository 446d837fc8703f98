"""Figures of cells on their test records, with what other patients would make of them.

Macro-F1, by which rows are ranked, is resampled; of the other figures the influence of
each patient is taken, to which resampling comes where there are many.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.metrics import decisions
from harness.report.board.parts import Holds
from harness.results.predictions import PREDICTIONS
from harness.statistics import (
    Decisions,
    PatientDraws,
    Scores,
    class_f1,
    decision_figures,
    draws_for,
    probability_figures,
    resampled_macro_f1,
    swayed_macro_f1,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.plugin import Task
    from harness.report.read import CellResult
    from harness.results.predictions import Predictions
    from harness.statistics import Arm, Swayed

    Read = Callable[[CellResult], Predictions]

MACRO_F1, TUNED = "macro_f1", "macro_f1_tuned"
SEEDS: Holds = "seeds"
SEEDS_AND_RECORDS: Holds = "seeds and records"
_ALIKE = 1e-6
"""How far the macro-F1 of predictions may be from that of the result: rounding."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judged:
    """What a cell made of its test records.

    Attributes
    ----------
    probabilities
        Shape (records, classes).
    thresholds
        Of the decisions that are tuned on the validation split, shape (classes,).
    """

    decided: Decisions
    probabilities: Floats
    task: Task
    thresholds: Floats | None

    def figures(self) -> dict[str, Swayed]:
        """All that isn't resampled."""
        truth, predicted = self.decided.truth, self.decided.predicted
        found = decision_figures(truth, predicted, self.task)
        by_class = class_f1(truth, predicted)
        found |= {_f1_of(i): figure for i, figure in enumerate(by_class)}
        if self.thresholds is not None:
            tuned = self.probabilities >= self.thresholds
            found[TUNED] = swayed_macro_f1(truth, tuned)
        return found | probability_figures(truth, self.probabilities, self.task)


def _f1_of(number: int) -> str:
    """The key of the F1 of a class."""
    return f"f1 {number}"


class ScoredCells:
    """Cells of the same classes, all by the same draws of patients.

    Parameters
    ----------
    judged
        By the id of the cell.
    problems
        Why a done cell's predictions can't be used, by its id.
    """

    def __init__(
        self, judged: Mapping[str, Judged], problems: Mapping[str, str]
    ) -> None:
        self.problems = problems
        self._judged = judged
        self._known_places: dict[int, NDArray[np.int_]] = {}
        self._known_counts: dict[frozenset[int], int] = {}
        self._place = {name: place for place, name in enumerate(judged)}
        different = {
            id(p): p for one in judged.values() for p in [one.decided.patients]
        }
        patients = (p for one in different.values() for p in one.tolist())
        self._draws = PatientDraws(patients, draws_for(len(judged)))

    def comparable(self, cells: Sequence[CellResult | None]) -> bool:
        """Whether all of them are there, and judged on the same test records."""
        known = [
            self._judged[c.cell.id].decided
            for c in cells
            if c and c.cell.id in self._judged
        ]
        return len(known) == len(cells) and all(map(known[0].same_records, known))

    def patients(self, cells: Sequence[CellResult]) -> int:
        """How many patients the test records of cells that are all known are of."""
        places = self._patients_of(cell.cell.id for cell in cells)
        different = {id(one): one for one in places}
        key = frozenset(different)
        if key not in self._known_counts:
            every = np.concatenate(list(different.values()))
            self._known_counts[key] = len(np.unique(every))
        return self._known_counts[key]

    def arm(self, cells: Sequence[CellResult], figure: str = MACRO_F1) -> Arm | None:
        """A figure of cells that are all known; None where it isn't defined for all.

        Arms of a figure can be compared with each other.
        """
        places = [self._place[cell.cell.id] for cell in cells]
        scores = self._figures.get(figure)
        if scores is None or not np.isfinite(scores.values[places]).all():
            return None
        return scores.arm(places)

    def class_arms(self, *arms: Sequence[CellResult]) -> list[list[Arm]]:
        """F1 of each class of cells that are all known: by class, each arm."""
        places = [[self._place[cell.cell.id] for cell in arm] for arm in arms]
        found: list[list[Arm]] = []
        while scores := self._figures.get(_f1_of(len(found))):
            found.append([scores.arm(cells) for cells in places])
        return found

    @cached_property
    def _figures(self) -> dict[str, Scores]:
        judged = list(self._judged.values())
        drawn = resampled_macro_f1([one.decided for one in judged], self._draws)
        found: dict[str, list[Swayed | None]] = defaultdict(
            lambda: [None] * len(judged)
        )
        for place, one in enumerate(judged):
            for name, figure in one.figures().items():
                found[name][place] = figure
        patients = self._patients_of(self._judged)
        return {
            MACRO_F1: Scores.of_draws(*drawn),
            **{name: _scores(cells, patients) for name, cells in found.items()},
        }

    def _patients_of(self, names: Iterable[str]) -> list[NDArray[np.int_]]:
        """The places of the patients of each cell's records."""
        return [self._places(self._judged[name].decided.patients) for name in names]

    def _places(self, patients: NDArray[np.str_]) -> NDArray[np.int_]:
        key = id(patients)
        if key not in self._known_places:
            found = np.searchsorted(self._draws.patients, patients)
            self._known_places[key] = found
        return self._known_places[key]


def _scores(
    figures: Sequence[Swayed | None], patients: Sequence[NDArray[np.int_]]
) -> Scores:
    """Of cells; not a number where a figure isn't defined."""
    width = 1 + max(int(places.max()) for places in patients)
    influence = np.zeros((len(figures), width))
    values = np.full(len(figures), np.nan)
    for row, (one, places) in enumerate(zip(figures, patients, strict=True)):
        if one is not None:
            values[row] = one.value
            influence[row] = np.bincount(places, one.influence, width)
    return Scores.of_influence(values, influence)


def score_cells(cells: Iterable[CellResult], read: Read) -> ScoredCells:
    """Score cells of the same classes.

    Parameters
    ----------
    read
        Gives the predictions of a done cell; raises OSError or ValueError.
    """
    judged: dict[str, Judged] = {}
    problems: dict[str, str] = {}
    shared = _Shared()
    for cell in cells:
        name = cell.cell.id
        if cell.result is None or name in judged or name in problems:
            continue
        try:
            judged[name] = _judged(cell, read(cell), shared)
        except FileNotFoundError:
            problems[name] = f"{PREDICTIONS} is missing"
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            problems[name] = f"{PREDICTIONS} can't be used: {reason}"
    return ScoredCells(judged, problems)


def score_suite(cells: Iterable[CellResult], read: Read) -> dict[str, ScoredCells]:
    """Score all cells of a suite that are done, those of the same data set together.

    Returns
    -------
    dict
        By the id of each cell, what holds it and those that it can be compared with.
    """
    groups: dict[tuple[str, ...], list[CellResult]] = defaultdict(list)
    for cell in cells:
        if cell.result is not None:
            data = cell.result.dataset
            groups[data.name, data.task, *data.classes].append(cell)
    scored: dict[str, ScoredCells] = {}
    for members in groups.values():
        found = score_cells(members, read)
        scored |= {cell.cell.id: found for cell in members}
    return scored


class _Shared:
    """Gives equal arrays as one: most cells are judged on the same records."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[int, ...], bytes], NDArray[Any]] = {}

    def __call__(self, array: NDArray[Any]) -> NDArray[Any]:
        key = array.dtype.str, array.shape, array.tobytes()
        return self._known.setdefault(key, array)


def _judged(cell: CellResult, found: Predictions, shared: _Shared) -> Judged:
    assert cell.result is not None
    about, metrics = cell.result.dataset, cell.result.metrics
    if found.probabilities.shape[1] != len(about.classes):
        raise ValueError(f"isn't of {len(about.classes)} classes")
    values = found.probabilities.astype(np.float64)
    truth, predicted = decisions(values, found.labels, about.task)
    decided = Decisions(
        records=shared(found.records),
        patients=shared(found.patients),
        truth=shared(truth),
        predicted=predicted,
    )
    score = swayed_macro_f1(truth, predicted).value
    shown = metrics.test.macro_f1
    if shown is None or abs(shown - score) > _ALIKE:
        raise ValueError("its macro-F1 isn't that of result.json")
    return Judged(decided, values, about.task, _thresholds(cell))


def _thresholds(cell: CellResult) -> Floats | None:
    assert cell.result is not None
    tuned = cell.result.metrics.test_tuned
    known = tuned.thresholds if tuned else {}
    classes = cell.result.dataset.classes
    if not set(classes) <= known.keys():
        return None
    return np.array([known[name] for name in classes])
