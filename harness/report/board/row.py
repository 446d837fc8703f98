"""One strategy on one data set and model: its seeds and their figures together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.options import Budget
from harness.report.board.board import (
    CELL_FIGURES,
    Amortised,
    CellOfRow,
    Processes,
    RequiredOfRow,
    Row,
)
from harness.report.board.costs import SharedCost, shared_cost
from harness.report.board.snapshot_curves import curve_points, final_size, last_layers
from harness.report.board.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.read import CellResult
    from harness.results.cost_schema import RequiredCell
    from harness.results.schema import Result

_DEFAULTS = Budget().model_dump(mode="json")
"""What held before there was a setting, which older results lack."""
_AUDIT_ORDER = ("flagged", "incomplete", "passed")


def row_of(
    label: str,
    cells: Sequence[CellResult],
    flops: Mapping[int, float],
    sharers: Mapping[str, int],
    budget: Mapping[str, Any] | None = None,
) -> Row:
    """A row of a table: figures over seeds, the state of each, what to be wary of.

    Parameters
    ----------
    flops
        The baseline's training FLOPs by seed: compute is relative to the baseline of
        the same seed, then averaged.
    sharers
        How many cells of the suite need a cell, by its id.
    budget
        That of the table.
    """
    seeds = [cell_of_row(cell, flops) for cell in cells]
    done = [c.result for c in cells if c.result is not None]
    shares = _shares(cells, flops, sharers)
    return Row(
        strategy=label,
        names=done[0].strategy.names if done else None,
        versions=done[0].strategy.versions if done else None,
        footnotes=sorted({note for r in done for note in r.strategy.footnotes}),
        controls=[control.name for control in cells[0].cell.controls],
        floor=cells[0].cell.model is None,
        cells=len(cells),
        done=len(done),
        states=dict(Counter(c.state for c in cells)),
        figures={
            key: summarise(seed.figures[key] for seed in seeds) for key in CELL_FIGURES
        },
        class_subsets={
            name: summarise(_subsets(result).get(name) for result in done)
            for name in sorted({key for result in done for key in _subsets(result)})
        },
        audit=_worst_audit(done),
        not_counted=sorted({str(x) for r in done for x in _not_counted(r)}),
        required=_required(seeds),
        amortised=_amortised(shares) if shares else None,
        processes=_processes(done),
        size=final_size(cells),
        curve=curve_points(cells),
        layers=last_layers(cells),
        own_budget=_own_budget(done, budget),
        seeds=seeds,
    )


def _processes(done: Sequence[Result]) -> Processes | None:
    """How many processes shared a cell, where it was several; None for one."""
    shared = [r.provenance for r in done if r.provenance.processes > 1]
    if not shared:
        return None
    return Processes(
        each=sorted({p.processes for p in shared}),
        apart=not all(p.batch_independent for p in shared),
    )


def _required_cells(result: Result) -> list[RequiredCell]:
    return list(result.required.cells.values()) if result.required else []


def _not_counted(result: Result) -> list[Any]:
    required = _required_cells(result)
    return [*result.cost.not_counted, *(x for c in required for x in c.not_counted)]


def _required(seeds: Iterable[CellOfRow]) -> RequiredOfRow | None:
    """What a row's cells require, and its share of their cost; None for nothing."""
    parts = [(seed.required, seed) for seed in seeds if seed.required]
    if not parts:
        return None
    cells = [cell for required, _ in parts for cell in required.cells.values()]
    return RequiredOfRow(
        strategies=sorted({"+".join(cell.strategies) for cell in cells}),
        flagged=any(cell.audit == "flagged" for cell in cells),
        training_flops=summarise(_of_required(seed) for _, seed in parts),
    )


def _of_required(seed: CellOfRow) -> float | None:
    """Training FLOPs of a cell's required cells."""
    whole, own = seed.figures["training_flops"], seed.own_training_flops
    return None if whole is None or own is None else whole - own


def _shares(
    cells: Iterable[CellResult], flops: Mapping[int, float], sharers: Mapping[str, int]
) -> list[tuple[SharedCost, float | None]]:
    """Each done cell's amortised cost, with the baseline's FLOPs of its seed."""
    return [
        (part, flops.get(cell.cell.seed))
        for cell in cells
        if cell.result and (part := shared_cost(cell.result, sharers))
    ]


def _amortised(parts: Sequence[tuple[SharedCost, float | None]]) -> Amortised:
    shares = [part for part, _ in parts]
    return Amortised(
        own_training_flops=summarise(part.own_training_flops for part in shares),
        training_flops=summarise(part.training_flops for part in shares),
        relative_compute=summarise(
            part.training_flops / baseline
            for part, baseline in parts
            if baseline and part.training_flops is not None
        ),
        shared_by=sorted({n for part in shares for n in part.shared_by}),
        forward_share=summarise(part.forward_share for part in shares),
    )


def _subsets(result: Result) -> dict[str, float]:
    return result.metrics.test.class_subsets


def cell_of_row(cell: CellResult, flops: Mapping[int, float]) -> CellOfRow:
    """One cell: its state, why it failed, and its figures, None where not measured."""
    about: dict[str, Any] = {
        "cell": cell.cell.id,
        "seed": cell.cell.seed,
        "strategy": cell.cell.strategy,
        "status": cell.status,
        "failure": cell.failure,
        "stale": list(cell.stale),
    }
    result = cell.result
    if result is None:
        return CellOfRow(**about, figures=dict.fromkeys(CELL_FIGURES))
    return CellOfRow(
        **about,
        own_training_flops=_own_flops(result),
        required=result.required,
        audit=result.cost.audit,
        figures=_figures(cell, result, flops.get(cell.cell.seed)),
    )


def training_flops(result: Result) -> float | None:
    """Of a cell and of all that it requires: everything computed for its weights."""
    if result.required is not None:
        return result.required.total.training_flops
    return _own_flops(result)


def _own_flops(result: Result) -> float | None:
    return result.cost.flops.training if result.cost.flops else None


def _figures(
    cell: CellResult, result: Result, baseline: float | None
) -> dict[str, float | None]:
    test, tuned, cost = result.metrics.test, result.metrics.test_tuned, result.cost
    training = training_flops(result)
    compared = None if training is None or baseline is None else training / baseline
    return {
        "macro_f1": test.macro_f1,
        "macro_f1_tuned": tuned.macro_f1 if tuned else None,
        "accuracy": test.accuracy,
        "exact_match": test.exact_match,
        "label_accuracy": test.label_accuracy,
        "macro_auroc": test.macro_auroc,
        "mean_average_precision": test.mean_average_precision,
        "calibration_error": test.calibration_error,
        "log_loss": test.log_loss,
        "effective_epochs": cost.effective_epochs,
        "forward_epochs": cost.forward_epochs,
        "training_flops": training,
        "relative_compute": compared,
        "sparsity": cost.sparsity.prunable if cost.sparsity else None,
        "sparsity_all": cost.sparsity.all if cost.sparsity else None,
        "peak_memory_bytes": (
            cost.peak_memory_bytes.total if cost.peak_memory_bytes else None
        ),
        "training_seconds": cell.measured.seconds.training if cell.measured else None,
    }


def _worst_audit(results: Iterable[Result]) -> str | None:
    found: set[str | None] = set()
    for result in results:
        found |= {result.cost.audit.status} if result.cost.audit else set()
        found |= {cell.audit for cell in _required_cells(result)}
    return next((status for status in _AUDIT_ORDER if status in found), None)


def _own_budget(
    done: Iterable[Result], shared: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Where the budget of a row differs from the one its table shares, by key."""
    return {
        key: value
        for result in done
        for key, value in result.budget.items()
        if value != (shared or {}).get(key, _DEFAULTS.get(key))
    }
