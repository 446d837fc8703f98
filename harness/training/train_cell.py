"""One cell from its data to its judged weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_weights
from torch import Tensor, nn

from harness.cell import Cell
from harness.cost.clock import median_seconds
from harness.cost.ledger import TRAINED
from harness.cost.machine import peak_rss_bytes
from harness.cost.size import measured_size
from harness.data.batch import Batch
from harness.data.dataset import OpenData, instantiate
from harness.data.split import SplitData
from harness.data.splits_loaded import DataSplits
from harness.options import Execution
from harness.training.evaluate import Judgement, judge, judge_snapshot
from harness.training.run import Run
from harness.training.snapshots import take_weights


@dataclass(frozen=True)
class Trained:
    """A run that is over, and what its weights are worth.

    Attributes
    ----------
    judged
        The final weights, judged.
    size
        Of the final weights, as `harness.cost.size` measures it, with the names of
        their prunable `layers` in the order of the network.
    snapshots
        Name, axes, test metrics and size of each state that was kept on the way.
    cost
        As the meter counted it, of all processes of the cell.
    latency_seconds
        Median time of one record's forward: `final`, and `snapshots` by file; None
        where it was not measured.
    peak_rss_bytes
        Largest resident set, summed over the cell's processes; None where unknown.
    cuda_peak_bytes
        `torch.cuda.max_memory_allocated` of the audited steps, of the process in which
        it was largest; None without CUDA.
    """

    run: Run
    splits: DataSplits
    judged: Judgement
    size: dict[str, Any]
    snapshots: list[dict[str, Any]]
    cost: dict[str, Any]
    latency_seconds: dict[str, Any]
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
    judged = judge(run, splits, subsets)
    final = {k: v.detach().clone() for k, v in run.model.state_dict().items()}
    shape = run.meter.longest_sample()
    size = measured_size(run.model, shape, run.built_weights)
    snapshots = []
    for entry in run.snapshots.entries:
        take_weights(run, load_weights(run.snapshots.read(entry)))
        quality = judge_snapshot(run, splits, subsets)
        own_size = measured_size(run.model, shape, run.built_weights)
        snapshots.append({**entry, **quality, "size": own_size})
    take_weights(run, final)
    cost = run.meter.summary(run.model, getattr(run, "optimizer", None))
    latency = _latencies(run, splits.test, final)
    resident = run.processes.gather(peak_rss_bytes())
    on_cuda = run.processes.gather(run.meter.cuda_peak_bytes)
    return Trained(
        run,
        splits,
        judged,
        {**size, "layers": list(size["remaining_by_layer"])},
        snapshots,
        cost,
        latency,
        None if None in resident else sum(resident),
        None if None in on_cuda else max(on_cuda),
    )


def _latencies(
    run: Run, split: SplitData, final: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Median seconds of a forward of the split's longest record; by the first process.

    Timed when all costs are summed up, since how often it runs isn't the same twice.
    The model ends with the final weights.
    """
    longest = np.argmax(split.lengths, keepdims=True)
    batch = split.batch(longest).to(run.device)
    snapshots = {}
    with run.clock.measure("latency"):
        of_final = _latency(run, batch)
        for entry in run.snapshots.entries:
            take_weights(run, load_weights(run.snapshots.read(entry)))
            snapshots[entry["file"]] = _latency(run, batch)
    take_weights(run, final)
    return {"final": of_final, "snapshots": snapshots}


def _latency(run: Run, batch: Batch) -> float | None:
    # Whoever is asked to stop has better use for the seconds that are left.
    if not run.processes.is_main or run.loops.stop_requested:
        return None
    run.meter.unwatch(TRAINED)
    run.model.eval()
    with torch.no_grad():
        return median_seconds(lambda: run.forward(batch), run.device)


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
