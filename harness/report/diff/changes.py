"""What a comparison of two leaderboards says, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from harness.options.gate import Gate
from harness.report.diff.cost_changes import CostChange
from harness.report.diff.noise import Difference

SCHEMA_VERSION = 1

Headline = Literal[
    "better",
    "worse",
    "same",
    "within noise",
    "too few seeds",
    "not measured",
    "other data",
    "not done",
    "first result",
    "new",
    "gone",
]
QUIET = ("same", "within noise", "too few seeds", "not measured")
"""Verdicts that tell of no change."""


@dataclass(frozen=True)
class RowChange:
    """What became of a row.

    Attributes
    ----------
    verdict
        Of its macro-F1; or why there is none.
    scores, costs
        Those that both sides have, by name.
    notes
        What else isn't as it was, a line each.
    regressions
        What the gate refuses, a line each.
    """

    dataset: str
    model: str | None
    strategy: str
    verdict: Headline
    scores: dict[str, Difference] = field(default_factory=dict)
    costs: dict[str, CostChange] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    regressions: list[str] = field(default_factory=list)

    @property
    def dearer_or_cheaper(self) -> dict[str, CostChange]:
        """The costs that changed by more than noise."""
        return {
            name: cost
            for name, cost in self.costs.items()
            if cost.verdict in ("lower", "higher")
        }

    @property
    def changed(self) -> bool:
        """Whether there is anything to tell that isn't noise."""
        return bool(
            self.verdict not in QUIET
            or self.notes
            or self.regressions
            or self.dearer_or_cheaper
            or any(d.verdict in ("better", "worse") for d in self.scores.values())
        )


@dataclass(frozen=True)
class SuiteDiff:
    """All rows of either side, sorted, and what was let pass.

    Attributes
    ----------
    problems
        Why predictions couldn't be used, a line each.
    """

    suite: str
    gate: Gate
    rows: tuple[RowChange, ...]
    problems: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there is anything to tell that isn't noise."""
        return any(row.changed for row in self.rows)

    @property
    def regressions(self) -> list[tuple[RowChange, str]]:
        """What the gate refuses, each with its row."""
        return [(row, text) for row in self.rows for text in row.regressions]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        rows = [{**asdict(row), "changed": row.changed} for row in self.rows]
        return {
            "schema_version": SCHEMA_VERSION,
            "suite": self.suite,
            "changed": self.changed,
            "regressions": len(self.regressions),
            "gate": self.gate.model_dump(),
            "rows": rows,
            "problems": list(self.problems),
        }


SCORE_NAMES = {
    "macro_f1": "macro-F1",
    "macro_auroc": "macro AUROC",
    "accuracy": "accuracy",
}
COST_NAMES = {
    "effective_epochs": "effective epochs",
    "forward_epochs": "forward epochs",
    "training_flops": "training FLOPs",
    "peak_memory_bytes": "peak memory",
}
