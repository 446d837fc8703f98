"""One cell from its data to its judged weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_weights
from torch import nn

from harness.cell import Cell
from harness.cost.process import peak_rss_bytes
from harness.data.loading import DataSplits
from harness.data.opening import OpenData, instantiate
from harness.options import Execution
from harness.training.evaluation import Evaluation, evaluate
from harness.training.run import Run


@dataclass(frozen=True)
class Trained:
    """A run that is over, and what its weights are worth.

    Attributes
    ----------
    test, validation
        The final weights, judged.
    snapshots
        Name, axes and test metrics of each state that was kept on the way.
    cost
        As the meter counted it, of all processes of the cell.
    peak_rss_bytes
        Largest resident set, summed over the cell's processes; None where unknown.
    cuda_peak_bytes
        `torch.cuda.max_memory_allocated` of the audited steps, of the process in which
        it was largest; None without CUDA.
    """

    run: Run
    splits: DataSplits
    test: Evaluation
    validation: Evaluation
    snapshots: list[dict[str, Any]]
    cost: dict[str, Any]
    peak_rss_bytes: int | None
    cuda_peak_bytes: int | None


def make_run(cell: Cell, splits: DataSplits, folder: Path, execution: Execution) -> Run:
    """The run of a cell, not started; `splits.test` stays behind."""
    strategies = [instantiate(choice) for choice in cell.strategies]
    return Run(cell, splits, strategies, _builder(cell, splits), folder, execution)


def train_cell(run: Run, splits: DataSplits, data: OpenData) -> Trained:
    """Train the run to its end, then judge its weights on the test split, once."""
    run.execute()
    subsets = data.dataset.class_subsets
    test = evaluate(run, splits.test, subsets)
    validation = evaluate(run, splits.validation, subsets)
    final = {k: v.detach().clone() for k, v in run.model.state_dict().items()}
    snapshots = []
    for entry in run.snapshots.entries:
        run.model.load_state_dict(load_weights(run.snapshots.read(entry)))
        judged = evaluate(run, splits.test, subsets)
        snapshots.append({**entry, "test": judged.metrics})
    run.model.load_state_dict(final)
    cost = run.meter.summary(run.model, getattr(run, "optimizer", None))
    resident = run.processes.gather(peak_rss_bytes())
    on_cuda = run.processes.gather(run.meter.cuda_peak_bytes)
    return Trained(
        run,
        splits,
        test,
        validation,
        snapshots,
        cost,
        None if None in resident else sum(resident),
        None if None in on_cuda else max(on_cuda),
    )


def _builder(cell: Cell, splits: DataSplits) -> Callable[[], nn.Module]:
    # Numbers only: a run that held the splits would hold the test split.
    shape = len(splits.leads), splits.samples, len(splits.classes)

    def build() -> nn.Module:
        assert cell.model is not None
        model: nn.Module = instantiate(cell.model).build(*shape)
        return model

    return build


def set_determinism(threads: int) -> None:
    """Make equal runs give equal bits: fixed threads, and deterministic kernels.

    An operation of which a GPU has no deterministic kernel warns in the cell's log.
    """
    torch.set_num_threads(threads)
    # As use_deterministic_algorithms, which imports the compiler (1 to 2 s) as well.
    torch.set_deterministic_debug_mode("warn")
    torch.backends.cudnn.benchmark = False
