"""What the cells of a plan may cost: a few real steps on noise, scaled up."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from accelerate.state import AcceleratorState

from harness.cell import Cell
from harness.cost.clock import synchronise
from harness.data.batch import Batch
from harness.data.dataset import OpenData, leads_beside, open_data
from harness.data.splits_loaded import DataSplits
from harness.data.windows import windows_of
from harness.errors import HarnessError
from harness.execution.noise_data import noise_splits
from harness.execution.places import Request, places_for
from harness.files.atomic import canonical, read_json
from harness.options import Execution
from harness.plan.plan import Plan
from harness.results.requirement import Requirement
from harness.results.state import RESULT
from harness.training.run import Run
from harness.training.train_cell import make_run, set_determinism

STEPS = 4
"""The first two are counted throughout, which takes time; the fastest is timed."""


@dataclass(frozen=True)
class Cost:
    """Of one cell; None where it can't be told.

    Attributes
    ----------
    flops
        Of training.
    memory_bytes
        Peak live tensors of a training step.
    seconds
        Of training and validation.
    at_most
        True where the strategy may train on fewer samples than were reckoned with.
    measured
        True for a cell that is done: nothing is estimated.
    """

    flops: int | None = None
    memory_bytes: int | None = None
    seconds: float | None = None
    at_most: bool = False
    measured: bool = False
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def workers_for(plan: Plan) -> int:
    """How many cells `harness run` would have at work at a time."""
    pending = [p.cell for p in plan.cells if p.state != "done"]
    return max(1, min(places_for(pending, Request()).most, len(pending)))


def estimate_costs(
    plan: Plan, runs: Path, say: Callable[[str], None]
) -> dict[int, Cost]:
    """The cost of each cell whose data is there, by its position in the plan.

    Cells that differ only in their seed are estimated once.

    Parameters
    ----------
    runs
        The folder of results, where done cells have measured theirs.
    say
        Told what is being estimated.
    """
    costs: dict[int, Cost] = {}
    known: dict[str, Cost] = {}
    data: dict[str, OpenData] = {}
    for i, planned in enumerate(plan.cells):
        cell = planned.cell
        if not cell.id:
            continue
        measured = _measured(runs / cell.folder) if planned.state == "done" else None
        if measured:
            costs[i] = measured
            continue
        key = canonical(_but_for_seeds(cell))
        if key not in known:
            say(f"estimating {cell.title}")
            known[key] = _estimated(cell, data)
        costs[i] = known[key]
    return costs


def _but_for_seeds(cell: Cell) -> dict[str, Any]:
    requires = {role: _but_for_seeds(c) for role, c in cell.requires.items()}
    return {**cell.identity, "seed": 0, "requires": requires}


def _measured(folder: Path) -> Cost | None:
    """What a done cell has measured."""
    try:
        cost = read_json(folder / RESULT)["cost"]
        seconds = read_json(folder / "measured.json")["seconds"]
        memory = cost["peak_memory_bytes"] or {}
        return Cost(
            flops=_whole(cost["flops"]["training"]),
            memory_bytes=_whole(memory.get("total")),
            seconds=float(seconds["training"]) + float(seconds.get("evaluation", 0)),
            measured=True,
            note="measured",
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _estimated(cell: Cell, known: dict[str, OpenData]) -> Cost:
    if cell.budget.match is not None:
        return Cost(note="as long as the cell that it is matched to")
    key = canonical(cell.identity["dataset"])
    try:
        if key not in known:
            known[key] = open_data(cell.dataset, cell.options, cell.suite_folder)
        opened = known[key]
        splits = noise_splits(opened, leads_beside(cell, opened.dataset))
        return _tried(cell, splits)
    except HarnessError as error:
        return Cost(note=str(error).splitlines()[0])
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        return Cost(note=f"{type(error).__name__}: {error}".splitlines()[0])


def _tried(cell: Cell, splits: DataSplits) -> Cost:
    set_determinism(cell.budget.threads)
    # Cells of other precision came before; a worker has but one.
    AcceleratorState._reset_state(reset_partial_state=True)
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(cell.replace(processes=1), splits, Path(folder), Execution())
        # What is required may not be trained yet; its network costs the same.
        run.requirements = {
            role: Requirement(c, c.id, None) for role, c in cell.requires.items()
        }
        run.set_model(run.hook.build_model(run=run))
        run.hook.setup(run=run)
        if not any(p.requires_grad for p in run.parameters()):
            return Cost(0, 0, 0.0, note="trains no parameters")
        run.optimizer = run.accelerator.prepare_optimizer(
            run.hook.build_optimizer(run=run)
        )
        run.meter.optimizer = run.optimizer
        cost = _stepped(run, splits)
    if _implements(run, "train"):
        return replace(cost, flops=None, seconds=None, note="has a loop of its own")
    return cost


def _stepped(run: Run, splits: DataSplits) -> Cost:
    budget = run.cell.budget
    size = min(budget.batch_size, len(run.train))
    # The longest records: what memory must suffice for.
    longest = np.argsort(run.train.lengths, kind="stable")[-size:]
    batch = run.train.batch(longest).to(run.device)
    selects = _implements(run, "select_samples")
    run.model.train()
    step_seconds = min(
        _timed(run, lambda: _step(run, batch, selects)) for _ in range(STEPS)
    )
    flops = run.meter.training_flops()
    memory = run.meter.summary(run.model, run.optimizer)["peak_memory_bytes"]
    forward_seconds = min(_timed(run, lambda: _judge(run, batch)) for _ in range(2))
    samples = len(run.train) * budget.epochs
    validation, test = (len(windows_of(s)) for s in (splits.validation, splits.test))
    judged = validation * (budget.epochs + 1) + test
    share = float(run.train.lengths.mean() / run.train.lengths[longest].mean())
    scale = share if run.train.window is None else 1.0
    return Cost(
        flops=None
        if flops is None
        else round(scale * samples * flops / (STEPS * size)),
        memory_bytes=memory["total"] if memory else None,
        seconds=scale * (samples * step_seconds + judged * forward_seconds) / size,
        at_most=selects or _implements(run, "select_epoch"),
    )


def _step(run: Run, batch: Batch, selects: bool) -> None:
    """A training step that keeps the whole batch."""
    with run.meter.step("train", size=batch.signals.numel()):
        if selects:
            run.score(batch)
            # What is kept is a copy, even where it is everything.
            batch = batch.select(torch.ones(len(batch), dtype=torch.bool))
        run.train_on(batch)


def _judge(run: Run, batch: Batch) -> None:
    run.model.eval()
    with run.meter.paused(), torch.no_grad():
        run.forward(batch)


def _timed(run: Run, work: Callable[[], None]) -> float:
    synchronise(run.device)
    started = perf_counter()
    work()
    synchronise(run.device)
    return perf_counter() - started


def _implements(run: Run, hook: str) -> bool:
    """Whether a strategy of the cell answers a hook; a wrapper lets another answer."""
    implementations = getattr(run.hook, hook).get_hookimpls()
    return any(i.plugin_name != "defaults" and not i.wrapper for i in implementations)
