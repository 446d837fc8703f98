"""One strategy on one data set and model: its seeds and their figures together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.options import Budget
from harness.report.board.costs import shared_cost
from harness.report.board.snapshot_curves import curve_points, final_size, last_layers
from harness.report.board.summary import summarise
from harness.results.schema import BY_CLASS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.read import CellResult
    from harness.results.schema import Result


_DEFAULTS = Budget().model_dump(mode="json")
"""What held before there was a setting, which older results lack."""
FIGURES = (
    "macro_f1",
    "macro_f1_tuned",
    "accuracy",
    "exact_match",
    "label_accuracy",
    "macro_auroc",
    "mean_average_precision",
    "calibration_error",
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
    label: str,
    cells: Sequence[CellResult],
    flops: Mapping[int, float],
    sharers: Mapping[str, int],
) -> dict[str, Any]:
    """A row of a table: figures over seeds, the state of each, what to be wary of.

    Parameters
    ----------
    flops
        The baseline's training FLOPs by seed: compute is relative to the baseline of
        the same seed, then averaged.
    sharers
        How many cells of the suite need a cell, by its id.
    """
    seeds = [describe_cell(cell, flops) for cell in cells]
    done = [c.result for c in cells if c.result is not None]
    names = sorted({key for result in done for key in _subsets(result)})
    return {
        "strategy": label,
        "names": done[0].strategy.names if done else None,
        "versions": done[0].strategy.versions if done else None,
        "footnotes": sorted({note for r in done for note in r.strategy.footnotes}),
        "controls": [control.name for control in cells[0].cell.controls],
        "floor": cells[0].cell.model is None,
        "cells": len(cells),
        "done": len(done),
        "states": dict(Counter(c.state for c in cells)),
        **{key: summarise(seed[key] for seed in seeds) for key in FIGURES},
        "class_subsets": {
            name: summarise(_subsets(result).get(name) for result in done)
            for name in names
        },
        "audit": _worst_audit(done),
        "not_counted": sorted({str(x) for r in done for x in _not_counted(r)}),
        "required": _describe_required(seeds),
        **_describe_shared(cells, flops, sharers),
        "processes": _describe_processes(done),
        "size": final_size(cells),
        "curve": curve_points(cells),
        "layers": last_layers(cells),
        "seeds": seeds,
    }


def _describe_processes(done: Sequence[Result]) -> dict[str, Any] | None:
    """How many processes shared a cell, where it was several; None for one."""
    shared = [r.provenance for r in done if r.provenance.processes > 1]
    if not shared:
        return None
    return {
        "each": sorted({p.processes for p in shared}),
        "apart": not all(p.batch_independent for p in shared),
    }


def _not_counted(result: Result) -> list[Any]:
    required = result.required.cells.values() if result.required else []
    return [*result.cost.not_counted, *(x for c in required for x in c.not_counted)]


def _describe_required(seeds: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """What a row's cells require, and its share of their cost; None for nothing.

    `training_flops` are those of all required cells, each counted once a seed.
    """
    parts = [(s["required"], s) for s in seeds if s.get("required")]
    if not parts:
        return None
    cells = [cell for part, _ in parts for cell in part["cells"].values()]
    return {
        "strategies": sorted({"+".join(cell["strategies"]) for cell in cells}),
        "flagged": any(cell["audit"] == "flagged" for cell in cells),
        "training_flops": summarise(
            s["training_flops"] - s["own_training_flops"]
            for _, s in parts
            if s["training_flops"] is not None
        ),
    }


def _describe_shared(
    cells: Iterable[CellResult], flops: Mapping[int, float], sharers: Mapping[str, int]
) -> dict[str, Any]:
    """The cost of a row with required cells amortised; nothing for one without any.

    Of `shared_cost`'s figures over seeds, and `relative_compute` by the amortised one.
    """
    parts = [
        (part, flops.get(cell.cell.seed))
        for cell in cells
        if cell.result and (part := shared_cost(cell.result, sharers))
    ]
    if not parts:
        return {}
    shares = [part for part, _ in parts]
    amortised = {
        "own_training_flops": summarise(part["own_training_flops"] for part in shares),
        "training_flops": summarise(part["training_flops"] for part in shares),
        "relative_compute": summarise(
            part["training_flops"] / baseline
            for part, baseline in parts
            if baseline and part["training_flops"] is not None
        ),
        "shared_by": sorted({n for part in shares for n in part["shared_by"]}),
        "forward_share": summarise(part["forward_share"] for part in shares),
    }
    return {"amortised": amortised}


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
        **({"stale": list(cell.stale)} if cell.stale else {}),
    }
    if cell.result is None:
        return row | dict.fromkeys(FIGURES)
    test = cell.result.metrics.test.model_dump(exclude={"class_subsets", *BY_CLASS})
    tuned = cell.result.metrics.test_tuned
    quality = {**test, "macro_f1_tuned": tuned.macro_f1 if tuned else None}
    seconds = cell.measured.seconds.training if cell.measured else None
    costs = _costs(cell.result, flops.get(cell.cell.seed))
    return row | quality | costs | {"training_seconds": seconds}


def training_flops(result: Result) -> float | None:
    """Of a cell and of all that it requires: everything computed for its weights."""
    if result.required is not None:
        return result.required.total.training_flops
    return result.cost.flops.training if result.cost.flops else None


def _costs(result: Result, baseline: float | None) -> dict[str, Any]:
    cost, training = result.cost, training_flops(result)
    compared = None if training is None or baseline is None else training / baseline
    return {
        "effective_epochs": cost.effective_epochs,
        "forward_epochs": cost.forward_epochs,
        "training_flops": training,
        "own_training_flops": cost.flops.training if cost.flops else None,
        "required": result.required.model_dump() if result.required else None,
        "relative_compute": compared,
        "sparsity": cost.sparsity.prunable if cost.sparsity else None,
        "sparsity_all": cost.sparsity.all if cost.sparsity else None,
        "peak_memory_bytes": (
            cost.peak_memory_bytes.total if cost.peak_memory_bytes else None
        ),
        "audit": cost.audit.model_dump() if cost.audit else None,
    }


def _worst_audit(results: Iterable[Result]) -> str | None:
    found: set[str | None] = set()
    for result in results:
        required = result.required.cells.values() if result.required else []
        found |= {result.cost.audit.status} if result.cost.audit else set()
        found |= {cell.audit for cell in required}
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
        if value != (shared or {}).get(key, _DEFAULTS.get(key))
    }
