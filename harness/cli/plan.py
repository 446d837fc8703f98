"""`harness plan`: the cells of a suite, what is done, and what the rest may cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.console import coloured, quantity, table
from harness.errors import printable
from harness.execution.executors import executors_with_jobs
from harness.plan.plan import Plan, PlannedCell

if TYPE_CHECKING:
    from harness.execution.cost_estimate import Cost

Costs = Mapping[int, "Cost"]
"""By the cell's position in the plan."""
Jobs = Mapping[str, str]
"""How a cell's job fares, by the cell's id."""


def show_plan(plan: Plan, runs: Path, *, estimate: bool, as_json: bool) -> int:
    """Print every cell of a plan, in the order in which they would run.

    Parameters
    ----------
    runs
        The folder of results.
    estimate
        Add training FLOPs, peak memory and hours.
    """
    costs: Costs = {}
    workers = 1
    if estimate:
        from harness.execution.cost_estimate import estimate_costs, workers_for

        workers = workers_for(plan)
        costs = estimate_costs(plan, runs, lambda text: click.echo(text, err=True))
    jobs = _jobs(plan, runs)
    if as_json:
        click.echo(json.dumps(_plain(plan, costs, jobs, workers, estimate=estimate)))
        return 0
    for label, reason in plan.missing_data.items():
        warning = click.style("warning:", fg="yellow")
        click.echo(
            f"{warning} data set {label} is not there: {printable(reason)}", err=True
        )
    click.echo(_table(plan, costs, jobs, estimate=estimate))
    click.echo()
    for planned in plan.cells:
        if planned.reason:
            state = coloured(planned.state)
            click.echo(f"{state}: {planned.cell.title}: {printable(planned.reason)}")
    click.echo(_summary(plan))
    if estimate:
        click.echo(_totals(costs, len(plan.cells), workers))
    return 0


def _jobs(plan: Plan, runs: Path) -> Jobs:
    """Of the cells that aren't done and were submitted somewhere."""
    waiting = {p.cell.id for p in plan.cells if p.state != "done"}
    if not waiting:
        return {}
    notes = [one.job_notes(runs) for one in executors_with_jobs(runs)]
    return {i: note for known in notes for i, note in known.items() if i in waiting}


def _table(plan: Plan, costs: Costs, jobs: Jobs, *, estimate: bool) -> str:
    headings = ["dataset", "model", "strategy", "seed", "id", "state", "requires"]
    if jobs:
        headings.append("job")
    if estimate:
        headings += ["training FLOPs", "peak memory", "hours", ""]
    rows = []
    for i, planned in enumerate(plan.cells):
        row = _row(planned)
        if jobs:
            row.append(jobs.get(planned.cell.id, ""))
        rows.append([*row, *_figures(costs.get(i))] if estimate else row)
    return table(headings, rows)


def _row(planned: PlannedCell) -> list[str]:
    cell = planned.cell
    needs = [f"{role}: {c.id or c.title}" for role, c in cell.requires.items()]
    names = [cell.labels[key] or "-" for key in ("dataset", "model", "strategy")]
    state = coloured(planned.state)
    seed = str(cell.seed)
    if cell.processes > 1:
        seed = f"{seed}, {cell.processes} processes"
    return [*names, seed, cell.id or "-", state, ", ".join(needs)]


def _figures(cost: Cost | None) -> list[str]:
    if cost is None:
        return ["-"] * 3 + ["no data"]
    hours = "-" if cost.seconds is None else _hours(cost.seconds)
    flops = ("at most " if cost.at_most else "") + quantity(cost.flops, "FLOP")
    return [flops, quantity(cost.memory_bytes, "B"), hours, cost.note]


def _hours(seconds: float) -> str:
    """`0.0021`, `1.3`, `120`."""
    hours = seconds / 3600
    return f"{hours:.2g}" if hours < 10 else f"{hours:.0f}"


def _summary(plan: Plan) -> str:
    states = Counter(p.state for p in plan.cells)
    parts = [f"{states[state]} {state}" for state in sorted(states)]
    required = sum(p.role == "required" for p in plan.cells)
    if required:
        parts.append(f"{required} of them required by others")
    return f"suite {plan.suite.name}: {len(plan.cells)} cells, {', '.join(parts)}"


def _totals(costs: Costs, cells: int, workers: int) -> str:
    """What is left to do, in one or two lines."""
    total = _remaining(costs)
    lines = [
        f"still to do: {quantity(total['flops'], 'FLOP')}, "
        f"{_hours(total['seconds'] / workers)} hours with {workers} at a time "
        "(an estimate from steps on noise; upper bounds where samples are dropped; "
        "starting cells and preparing data come on top)"
    ]
    unknown = cells - sum(c.flops is not None for c in costs.values())
    if unknown:
        lines.append(f"{unknown} cells could not be estimated and aren't in the sum")
    return "\n".join(lines)


def _remaining(costs: Costs) -> dict[str, float]:
    left = [c for c in costs.values() if not c.measured]
    return {
        "flops": sum(c.flops or 0 for c in left),
        "seconds": sum(c.seconds or 0 for c in left),
    }


def _plain(
    plan: Plan, costs: Costs, jobs: Jobs, workers: int, *, estimate: bool
) -> dict[str, Any]:
    """The plan as plain data."""
    cells = []
    for i, planned in enumerate(plan.cells):
        cell = planned.cell
        row: dict[str, Any] = {
            "id": cell.id or None,
            "folder": str(cell.folder) if cell.id else None,
            **cell.labels,
            "seed": cell.seed,
            "role": planned.role,
            "state": planned.state,
            "job": jobs.get(cell.id),
            "reason": planned.reason or None,
            "requires": {role: c.id for role, c in cell.requires.items()},
        }
        if estimate:
            row["cost"] = costs[i].to_dict() if i in costs else None
        cells.append(row)
    found: dict[str, Any] = {
        "suite": plan.suite.name,
        "cells": cells,
        "missing_data": dict(plan.missing_data),
    }
    if estimate:
        found["remaining"] = {**_remaining(costs), "workers": workers}
    return found
