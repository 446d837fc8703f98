"""Runs on a few random records, built from the public parts, without a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from harness.cell import Cell, PluginChoice
from harness.data.split import SplitData
from harness.data.splits_loaded import DataSplits
from harness.options import Budget, DataOptions, Execution
from harness.plugin import Strategy
from harness.training.run import Run

LEADS, SAMPLES, CLASSES = 2, 64, 3
EVERY_EPOCH = Execution(checkpoint_seconds=0.0)
EVERY_BATCH = Execution(checkpoint_seconds=0.0, checkpoint_minutes=1e-9)


class SmallNet(nn.Module):
    """A convolution, BatchNorm, dropout and a head: all that has state or chance."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv = nn.Conv1d(LEADS, 8, 7, stride=2, padding=3)
        self.norm = nn.BatchNorm1d(8)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(8, CLASSES)

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.norm(self.conv(signals))).mean(2)
        return self.classifier(self.dropout(hidden))


def split(records: int, seed: int, task: str = "single-label") -> SplitData:
    """Noise in which the class shows as a rhythm of its own."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, CLASSES, records)
    time = np.arange(SAMPLES) / SAMPLES
    waves = np.sin(2 * np.pi * time * (3 + 4 * classes[:, None, None]))
    noise = rng.normal(size=(records, LEADS, SAMPLES))
    signals = (waves + noise).astype(np.float32)
    labels = torch.from_numpy(classes)
    if task == "multi-label":
        labels = nn.functional.one_hot(labels, CLASSES).float()
    return SplitData(
        ids=np.array([f"r{i}" for i in range(records)]),
        patients=np.array([f"p{i}" for i in range(records)]),
        labels=labels,
        lengths=np.full(records, SAMPLES),
        side={},
        leads=("I", "II"),
        window=SAMPLES,
        bucket=1,
        read=lambda i: signals[i],
    )


def splits(records: int = 50, task: str = "single-label") -> DataSplits:
    return DataSplits(
        train=split(records, 0, task),
        validation=split(24, 1, task),
        test=split(24, 2, task),
        classes=("A", "B", "C"),
        task=task,
        leads=("I", "II"),
        sampling_rate=100.0,
        samples=SAMPLES,
        statistics=None,
    )


def choice(name: str) -> PluginChoice:
    return PluginChoice(name, 1, "Test", f"{name}.py", "0" * 16)


def cell(
    budget: Budget, strategies: Sequence[str] = ("baseline",), seed: int = 0
) -> Cell:
    return Cell(
        dataset=choice("noise"),
        options=DataOptions(),
        model=choice("small"),
        strategies=tuple(choice(name) for name in strategies),
        budget=budget,
        seed=seed,
        fingerprint="f" * 16,
        labels={"dataset": "noise", "model": "small", "strategy": "+".join(strategies)},
    )


def make_run(
    folder: Path,
    *strategies: Strategy,
    execution: Execution = EVERY_EPOCH,
    seed: int = 0,
    records: int = 50,
    dropout: float = 0.2,
    task: str = "single-label",
    data: DataSplits | None = None,
    **budget: object,
) -> Run:
    settings = Budget(**{"epochs": 4, "batch_size": 16, **budget})
    names = [s.name for s in strategies] or ["baseline"]
    return Run(
        cell(settings, names, seed),
        data or splits(records, task),
        strategies,
        lambda: SmallNet(dropout),
        folder,
        execution,
    )


def outcome(run: Run) -> dict[str, object]:
    """Everything that must not depend on where a run was interrupted."""
    return {
        "weights": {k: v.tolist() for k, v in run.model.state_dict().items()},
        "history": run.history.rows,
        "cost": run.meter.summary(run.model, getattr(run, "optimizer", None)),
        "chosen": run.fitted.chosen if run.fitted else None,
        "snapshots": run.snapshots.entries,
        "kept": run.kept_records.to_npz(run.train.ids),
        "last_losses": run.last_losses.tobytes(),
    }
