"""Macro-F1 of the cells of a comparison, as found and in each draw of patients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics import decisions
from harness.results.predictions import PREDICTIONS
from harness.statistics import ArmScores, Decisions, PatientDraws, resampled_macro_f1

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.report.frame import CellResult
    from harness.results.predictions import Predictions
    from harness.statistics.macro_f1 import Floats

    Read = Callable[[CellResult], Predictions]

_ALIKE = 1e-6
"""How far the macro-F1 of predictions may be from that of the result: rounding."""


@dataclass
class LeadScores:
    """What is known of cells, by id.

    Attributes
    ----------
    found
        Decisions on the test records, macro-F1, and macro-F1 in each draw.
    problems
        Why a done cell's predictions can't be used.
    """

    found: dict[str, tuple[Decisions, float, Floats]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def comparable(self, cells: Sequence[CellResult | None]) -> bool:
        """Whether all of them are there, and judged on the same test records."""
        known = [
            self.found[c.cell.id][0] for c in cells if c and c.cell.id in self.found
        ]
        return len(known) == len(cells) and all(map(known[0].same_records, known))

    def arm(self, cells: Sequence[CellResult]) -> ArmScores:
        """The scores of cells that are comparable to those of the other arm."""
        found = [self.found[cell.cell.id] for cell in cells]
        return ArmScores(
            np.array([score for _, score, _ in found]),
            np.stack([drawn for _, _, drawn in found]),
        )


def lead_scores(cells: Iterable[CellResult], read: Read) -> LeadScores:
    """Score cells of the same classes, all by the same draws of patients.

    Parameters
    ----------
    read
        Gives the predictions of a done cell; raises OSError or ValueError.
    """
    scores = LeadScores()
    known: dict[str, Decisions] = {}
    reported: dict[str, float | None] = {}
    for cell in cells:
        if cell.result is None or cell.cell.id in reported:
            continue
        reported[cell.cell.id] = cell.result.metrics.test.macro_f1
        try:
            known[cell.cell.id] = _decisions(cell, read(cell))
        except FileNotFoundError:
            scores.problems[cell.cell.id] = f"{PREDICTIONS} is missing"
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            scores.problems[cell.cell.id] = f"{PREDICTIONS} can't be used: {reason}"
    if not known:
        return scores
    draws = PatientDraws(p for one in known.values() for p in one.patients.tolist())
    found = resampled_macro_f1(list(known.values()), draws)
    for (name, one), score, drawn in zip(known.items(), *found, strict=True):
        shown = reported[name]
        if shown is None or abs(shown - score) > _ALIKE:
            scores.problems[name] = (
                f"{PREDICTIONS} can't be used: its macro-F1 isn't that of result.json"
            )
        else:
            scores.found[name] = one, float(score), drawn
    return scores


def _decisions(cell: CellResult, found: Predictions) -> Decisions:
    assert cell.result is not None
    about = cell.result.dataset
    if found.probabilities.shape[1] != len(about.classes):
        raise ValueError(f"isn't of {len(about.classes)} classes")
    values = found.probabilities.astype(np.float64)
    judged = decisions(values, found.labels, about.task)
    return Decisions(found.records, found.patients, *judged)
