"""What a finished cell leaves: `result.json` and the files beside it."""

from __future__ import annotations

import io
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save

import harness
from harness.cell import Cell
from harness.data.dataset import OpenData
from harness.data.prepare import Prepared
from harness.data.record_index import RecordIndex
from harness.data.splits_loaded import DataSplits
from harness.files.atomic import canonical, to_json, write_atomically
from harness.results.requirement import required_cost
from harness.results.state import FAILURE, KEPT, RESULT, WEIGHTS, source_hashes
from harness.training.evaluate import Judgement
from harness.training.run import Run
from harness.training.train_cell import Trained

RESULT_VERSION = 1


def describe_cell(cell: Cell, index: RecordIndex) -> dict[str, Any]:
    """`cell.json`: what the cell is, without a word of where things lie."""
    return {
        "schema_version": RESULT_VERSION,
        "id": cell.id,
        "identity": cell.identity,
        "split_hash": index.split_hash,
        "dataset": {
            **_plugin(cell.dataset),
            "options": cell.options.model_dump(mode="json", exclude={"root"}),
        },
        "model": _plugin(cell.model) if cell.model else None,
        "strategies": [_plugin(choice) for choice in cell.strategies],
        "budget": cell.budget.model_dump(mode="json"),
        "seed": cell.seed,
        **_described_requirements(cell, index),
    }


def _described_requirements(cell: Cell, index: RecordIndex) -> dict[str, Any]:
    """The cells that a cell requires, described; nothing where it requires none.

    They are split as the cell itself is.
    """
    if not cell.requires:
        return {}
    described = {role: describe_cell(c, index) for role, c in cell.requires.items()}
    return {"requires": described}


def _plugin(choice: Any) -> dict[str, Any]:
    params = dict(choice.params)
    return {"name": choice.name, "version": choice.version, "params": params}


def assemble(
    cell: Cell, data: OpenData, prepared: Prepared, trained: Trained
) -> dict[str, Any]:
    """`result.json`: equal, byte for byte, for equal runs."""
    run = trained.run
    cost = trained.cost
    rows = run.history.rows
    return {
        "schema_version": RESULT_VERSION,
        "cell": cell.id,
        "seed": cell.seed,
        "dataset": _dataset(cell, data, prepared, trained),
        "model": {
            "label": cell.labels["model"],
            "name": cell.model.name,
            "version": cell.model.version,
            "parameters": cost["parameters"]["total"],
        }
        if cell.model
        else None,
        "strategy": {
            "label": cell.labels["strategy"],
            "names": [choice.name for choice in cell.strategies],
            "versions": {choice.name: choice.version for choice in cell.strategies},
            **_footnotes(cell),
        },
        "budget": cell.budget.model_dump(mode="json"),
        "metrics": _metrics(trained.judged),
        "snapshots": trained.snapshots,
        "size": trained.size,
        "weights": {"rule": cell.budget.weights, **run.chosen},
        "cost": cost,
        **_required(run, cost),
        "steps": sum(row["steps"] for row in rows),
        "skipped_batches": sum(row["skipped_batches"] for row in rows),
        "provenance": {
            "harness": harness.__version__,
            "python": platform.python_version(),
            "torch": version("torch"),
            "numpy": version("numpy"),
            "plugins": source_hashes(cell),
            "threads": cell.budget.threads,
            **_sharing(cell),
            "precision": cell.budget.precision,
            "device_type": run.device.type,
        },
    }


def _metrics(judged: Judgement) -> dict[str, Any]:
    tuned = {} if judged.test_tuned is None else {"test_tuned": judged.test_tuned}
    return {
        "test": judged.test.metrics,
        "validation": judged.validation.metrics,
        **tuned,
    }


def _footnotes(cell: Cell) -> dict[str, Any]:
    """What presets warn of whose parameters the strategies have; nothing for none."""
    found = [note for choice in cell.strategies for note in choice.footnotes]
    return {"footnotes": found} if found else {}


def _required(run: Run, cost: Mapping[str, Any]) -> dict[str, Any]:
    """The cells that this one requires, with their cost; nothing where it has none."""
    found = required_cost(run.requirements, cost)
    return {"required": found} if found["roles"] else {}


def _sharing(cell: Cell) -> dict[str, Any]:
    """How several processes shared the cell; nothing to say of one."""
    if cell.processes == 1:
        return {}
    return {
        "processes": cell.processes,
        "batch_independent": cell.batch_independent,
    }


def _dataset(
    cell: Cell, data: OpenData, prepared: Prepared, trained: Trained
) -> dict[str, Any]:
    dataset, splits = data.dataset, trained.splits
    return {
        "label": cell.labels["dataset"],
        "name": dataset.name,
        "version": dataset.version,
        "task": dataset.task,
        "classes": list(splits.classes),
        "leads": list(splits.leads),
        "sampling_rate": splits.sampling_rate,
        "seconds": _seconds(splits),
        **_chunks(splits),
        "label_rule": dataset.label_rule,
        "synthetic": dataset.synthetic,
        "fingerprint": cell.fingerprint,
        "license": dataset.license,
        "citation": dataset.citation,
        "counts": data.index.counts,
        "excluded": data.index.excluded,
        "bad_records": prepared.bad,
    }


def _seconds(splits: DataSplits) -> float | str:
    if splits.train.window is None:
        return "whole"
    return splits.samples / splits.sampling_rate


def _chunks(splits: DataSplits) -> dict[str, Any]:
    """How longer records were judged; nothing to say where by their middle."""
    chunking = splits.test.chunking
    if chunking is None:
        return {}
    stride = chunking.stride / splits.sampling_rate
    return {"chunks": {"stride_seconds": stride, "combine": chunking.combine}}


def write_result(
    folder: Path,
    result: Mapping[str, Any],
    description: Mapping[str, Any],
    trained: Trained,
    check_claim: Callable[[], None],
) -> None:
    """Write everything that the result refers to, and the result last.

    `check_claim` is asked right before the result appears, and may raise.

    Raises
    ------
    OSError
        If the disk is full; there is then no result, and the cell isn't done.
    """
    write_atomically(folder / "predictions.npz", _predictions(trained))
    kept = trained.run.kept_records
    if not kept.all_kept:
        write_atomically(folder / KEPT, kept.to_npz(trained.splits.train.ids))
    weights = {
        k: v.detach().cpu().contiguous()
        for k, v in trained.run.model.state_dict().items()
    }
    # The weights alone must tell what they are: `harness evaluate` reads it.
    metadata = {"harness_cell": canonical(description)}
    write_atomically(folder / WEIGHTS, save(weights, metadata))
    check_claim()
    (folder / FAILURE).unlink(missing_ok=True)
    write_atomically(folder / RESULT, to_json(result))


def _predictions(trained: Trained) -> bytes:
    splits = {
        "test": (trained.splits.test, trained.judged.test),
        "validation": (trained.splits.validation, trained.judged.validation),
    }
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for name, (split, evaluation) in splits.items():
        arrays[f"{name}_records"] = split.ids
        arrays[f"{name}_patients"] = split.patients
        arrays[f"{name}_labels"] = split.labels.numpy()
        arrays[f"{name}_probabilities"] = evaluation.probabilities
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()
