"""One strategy on one data set and model: its seeds and their figures together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.report.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.frame import CellResult
    from harness.report.schema import Cost, Result

FIGURES = (
    "macro_f1",
    "accuracy",
    "exact_match",
    "label_accuracy",
    "macro_auroc",
    "log_loss",
    "effective_epochs",
    "forward_epochs",
    "training_flops",
    "relative_compute",
    "sparsity",
    "sparsity_all",
    "peak_memory_bytes",
    "training_seconds",
)
"""What is summarised over seeds, `class_subsets` apart."""

_AUDIT_ORDER = ("flagged", "incomplete", "passed")


def describe_row(
    label: str, cells: Sequence[CellResult], flops: Mapping[int, float]
) -> dict[str, Any]:
    """A row of a table: figures over seeds, the state of each, what to be wary of.

    `flops` holds the baseline's training FLOPs by seed: compute is relative to the
    baseline of the same seed, then averaged.
    """
    seeds = [describe_cell(cell, flops) for cell in cells]
    done = [c.result for c in cells if c.result is not None]
    names = sorted({key for result in done for key in _subsets(result)})
    return {
        "strategy": label,
        "names": done[0].strategy.names if done else None,
        "versions": done[0].strategy.versions if done else None,
        "floor": cells[0].cell.model is None,
        "cells": len(cells),
        "done": len(done),
        "states": dict(Counter(c.status for c in cells)),
        **{key: summarise(seed[key] for seed in seeds) for key in FIGURES},
        "class_subsets": {
            name: summarise(_subsets(result).get(name) for result in done)
            for name in names
        },
        "audit": _worst_audit(done),
        "not_counted": sorted({str(x) for r in done for x in r.cost.not_counted}),
        "seeds": seeds,
    }


def _subsets(result: Result) -> dict[str, float]:
    return result.metrics.test.class_subsets


def describe_cell(cell: CellResult, flops: Mapping[int, float]) -> dict[str, Any]:
    """One cell: its state, why it failed, and its figures, None where not measured."""
    row: dict[str, Any] = {
        "cell": cell.cell.id,
        "seed": cell.cell.seed,
        "strategy": cell.cell.strategy,
        "status": cell.status,
        "failure": cell.failure.model_dump() if cell.failure else None,
    }
    if cell.result is None:
        return row | dict.fromkeys(FIGURES)
    test = cell.result.metrics.test.model_dump(exclude={"class_subsets"})
    seconds = cell.measured.seconds.training if cell.measured else None
    costs = _costs(cell.result.cost, flops.get(cell.cell.seed))
    return row | test | costs | {"training_seconds": seconds}


def _costs(cost: Cost, baseline: float | None) -> dict[str, Any]:
    training = cost.flops.training if cost.flops else None
    compared = None if training is None or baseline is None else training / baseline
    return {
        "effective_epochs": cost.effective_epochs,
        "forward_epochs": cost.forward_epochs,
        "training_flops": training,
        "relative_compute": compared,
        "sparsity": cost.sparsity.prunable if cost.sparsity else None,
        "sparsity_all": cost.sparsity.all if cost.sparsity else None,
        "peak_memory_bytes": (
            cost.peak_memory_bytes.total if cost.peak_memory_bytes else None
        ),
        "audit": cost.audit.model_dump() if cost.audit else None,
    }


def _worst_audit(results: Iterable[Result]) -> str | None:
    found = {result.cost.audit.status for result in results if result.cost.audit}
    return next((status for status in _AUDIT_ORDER if status in found), None)


def own_budget(
    cells: Iterable[CellResult], shared: dict[str, Any] | None
) -> dict[str, Any]:
    """Where the budget of a row differs from the one its table shares, by key."""
    budgets = [cell.result.budget for cell in cells if cell.result]
    return {
        key: value
        for budget in budgets
        for key, value in budget.items()
        if value != (shared or {}).get(key)
    }
