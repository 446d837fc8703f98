"""Writes the files that finished, failed and running cells leave behind."""

import json
from pathlib import Path


class RunsFolder:
    """A runs folder in the making; `suite` writes the list of its cells."""

    def __init__(self, root: Path):
        self.root = root
        self.cells = []

    def cell(
        self,
        strategy,
        seed=0,
        *,
        dataset="ptbxl",
        model="resnet1d",
        role="suite",
        folder=None,
    ):
        """Declare a cell; returns (id, folder)."""
        cell = f"{len(self.cells):012x}"
        folder = folder or f"cells/{seed}-{cell}"
        self.cells.append(
            {
                "id": cell,
                "folder": folder,
                "dataset": dataset,
                "model": model,
                "strategy": strategy,
                "seed": seed,
                "role": role,
            }
        )
        return cell, self.root / folder

    def done(self, strategy, seed=0, macro_f1=0.7, *, changes=None, **place):
        """Declare a cell and write its result; `changes` are dotted keys of it."""
        cell, folder = self.cell(strategy, seed, **place)
        value = result(cell, strategy, seed, macro_f1, **place)
        for key, new in (changes or {}).items():
            *path, last = key.split(".")
            part = value
            for step in path:
                part = part[step]
            part[last] = new
        write(folder / "result.json", value)
        write(folder / "measured.json", MEASURED)
        return folder

    def failed(self, strategy, seed=0, kind="plugin", message="it broke", **place):
        _, folder = self.cell(strategy, seed, **place)
        failure = {"kind": kind, "message": message, "traceback": "...", "attempts": 1}
        write(folder / "failure.json", failure)
        return folder

    def suite(self, name="demo", title="Demo"):
        content = {
            "schema_version": 1,
            "suite": name,
            "title": title,
            "cells": self.cells,
        }
        write(self.root / "suites" / f"{name}.json", content)
        return self.root


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


MEASURED = {
    "seconds": {"training": 75.04, "evaluation": 1.2, "data_wait": 0.1, "total": 80.0},
    "peak_rss_bytes": 500_000_000,
    "energy_joules": None,
    "attempts": 1,
    "device": "cpu",
    "hardware": "AMD EPYC 7B13, 2 cores",
    "finished": "2025-01-01T00:00:00+00:00",
}


def result(cell, strategy, seed, macro_f1, dataset="ptbxl", model="resnet1d", **_):
    return {
        "schema_version": 1,
        "cell": cell,
        "seed": seed,
        "dataset": dataset_part(dataset),
        "model": model
        and {"label": model, "name": model, "version": 1, "parameters": 463_365},
        "strategy": {
            "label": strategy,
            "names": strategy.split("+"),
            "versions": dict.fromkeys(strategy.split("+"), 1),
        },
        "budget": {
            "epochs": 20,
            "batch_size": 64,
            "optimizer": {"use": "adamw", "lr": 0.005, "weight_decay": 0.01},
            "schedule": {"use": "one-cycle", "rise": 0.3},
            "precision": "fp32",
            "clip_norm": None,
            "augment": [],
        },
        "metrics": {
            "test": {
                "records": 216,
                "macro_f1": macro_f1,
                "accuracy": min(macro_f1 + 0.1, 1.0),
                "macro_auroc": min(macro_f1 + 0.15, 1.0),
                "log_loss": 0.8,
                "class_subsets": {},
            }
        },
        "weights": {"rule": "best-validation", "epoch": 7, "phase": "train"},
        "cost": cost(),
        "steps": 400,
        "skipped_batches": 0,
        "provenance": {
            "harness": "0.1.0",
            "python": "3.11.2",
            "torch": "2.13.0+cpu",
            "plugins": {strategy: "0123456789abcdef" * 4},
            "threads": 1,
            "precision": "fp32",
            "device_type": "cpu",
        },
    }


def dataset_part(label):
    counts = {"NORM": 100, "MI": 50, "STTC": 40, "CD": 20, "HYP": 6}
    return {
        "label": label,
        "name": label,
        "version": 1,
        "task": "single-label",
        "classes": list(counts),
        "leads": ["I", "II"],
        "sampling_rate": 100.0,
        "seconds": 10.0,
        "label_rule": "the diagnostic superclass of highest priority",
        "synthetic": False,
        "fingerprint": "9f86d081884c",
        "license": "CC-BY-4.0",
        "citation": "Wagner et al., Scientific Data 7:154 (2020)",
        "counts": {
            "train": {"records": 1253, "patients": 1100, "classes": counts},
            "validation": {"records": 210, "patients": 190, "classes": counts},
            "test": {"records": 216, "patients": 200, "classes": counts},
        },
        "excluded": {"no diagnostic superclass": 31},
        "bad_records": [],
    }


def cost():
    return {
        "train_samples": 25_060,
        "forward_samples": 25_060,
        "effective_epochs": 20.0,
        "forward_epochs": 20.0,
        "flops": {
            "forward": 4_100_000_000_000,
            "backward": 8_200_000_000_000,
            "training": 12_300_000_000_000,
            "evaluation": 100_000_000,
            "by_module": {
                "model": {"forward": 4_100_000_000_000, "backward": 8_200_000_000_000}
            },
        },
        "not_counted": [],
        "audit": {
            "status": "passed",
            "steps": 4,
            "largest_difference": 0.0,
            "findings": [],
        },
        "peak_memory_bytes": {"total": 314_572_800, "phase": "train"},
        "parameters": {"total": 463_365, "trainable": 463_365},
        "sparsity": {"prunable": 0.0, "all": 0.0},
        "inference": {"dense_macs": 50_000_000, "sparse_macs": None},
    }
