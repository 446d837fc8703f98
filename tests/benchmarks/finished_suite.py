"""A runs folder of a suite that is done, as large as one gets: for timing a report.

Figures are those of drawn predictions, and files hold all that the core writes but
weights.
"""

import io
import json
from dataclasses import dataclass

import numpy as np
from runs_folder import MEASURED, dataset_part, result, write

from harness.metrics.metrics import evaluate_probabilities

CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
SHARES = (0.42, 0.24, 0.18, 0.12, 0.04)
EPOCHS, VALIDATION = 30, 200


@dataclass(frozen=True)
class Size:
    """How many there are of each; the first data set has more test records.

    Every row but the baseline has two controls beside it, which are rows too.
    """

    datasets: int = 4
    models: int = 2
    controlled: int = 8
    seeds: int = 5
    first_records: int = 2000
    other_records: int = 300

    @property
    def rows(self):
        return 1 + 3 * self.controlled

    @property
    def cells(self):
        return self.datasets * self.models * self.rows * self.seeds


WHOLE = Size()
SMALL = Size(datasets=2, models=1, controlled=2, seeds=3, first_records=100)


def fill(root, size, suite="large"):
    """Write the folder; its suite is called `suite`."""
    cells = []
    for number in range(size.datasets):
        records = size.other_records if number else size.first_records
        data = _Data(f"dataset-{number}", records)
        for model in (f"model-{i}" for i in range(size.models)):
            for row in range(size.rows):
                cells += _row(root, size, data, model, row)
    content = {"schema_version": 1, "suite": suite, "title": "Large", "cells": cells}
    write(root / "suites" / f"{suite}.json", content)
    return root


class _Data:
    """Records of a data set: nine patients for ten records."""

    def __init__(self, label, records):
        random = np.random.default_rng(len(label) + records)
        self.label = label
        self.splits = {}
        for name, size in (("test", records), ("validation", VALIDATION)):
            numbers = np.arange(size)
            self.splits[name] = (
                np.array(
                    [f"records100/{i // 1000:02d}000/{i:05d}_lr" for i in numbers]
                ),
                np.array([str(10_000 + i) for i in numbers % -(-9 * size // 10)]),
                random.choice(len(CLASSES), size, p=SHARES),
            )


def _row(root, size, data, model, row):
    """A row's cells, one a seed: the baseline, or a method with its two controls."""
    owner, part = divmod(row - 1, 3)
    method = f"method-{owner:02d}"
    names = (method, f"random, as {method}", f"baseline, as long as {method}")
    label = "baseline" if row == 0 else names[part]
    found = []
    for seed in range(size.seeds):
        cell = f"{data.label}-{model}-{row}-{seed}"
        controls = []
        if row and part:
            of = f"{data.label}-{model}-{row - part}-{seed}"
            controls = [{"of": of, "name": ("random", "as long")[part - 1]}]
        folder = f"{data.label}/{model}/{row}/{seed}"
        place = {"dataset": data.label, "model": model}
        _write_cell(root / folder, data, cell, label, row, seed, place)
        found.append(
            {
                "id": cell,
                "folder": folder,
                **place,
                "strategy": label,
                "seed": seed,
                "role": "control" if controls else "suite",
                "controls": controls,
                "requires": {},
            }
        )
    return found


def _write_cell(folder, data, cell, label, row, seed, place):
    random = np.random.default_rng([row, seed, len(cell), *cell.encode()])
    arrays, metrics = {}, {}
    for split, (ids, patients, labels) in data.splits.items():
        probabilities = _probabilities(random, labels, 1.6 - row / 60)
        arrays |= {
            f"{split}_records": ids,
            f"{split}_patients": patients,
            f"{split}_labels": labels,
            f"{split}_probabilities": probabilities,
        }
        metrics[split] = evaluate_probabilities(
            probabilities, labels, CLASSES, "single-label"
        )
    share = _kept_share(row)
    name = label.split(",")[0]
    value = result(cell, name, seed, 0.5, **place)
    value["strategy"]["label"] = label
    value["metrics"] = metrics
    value["dataset"] = _dataset(data)
    value["cost"]["flops"]["training"] = int(12_300_000_000_000 * share)
    value["cost"]["effective_epochs"] = EPOCHS * share
    # Plugins that nobody has installed, so that none of them makes a result stale.
    value["provenance"]["plugins"] = {
        f"{kind} drawn-{plugin}": f"{plugin:_<16.16}"
        for kind, plugin in (*place.items(), ("strategy", name))
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    write(folder / "result.json", json.dumps(value, indent=2, sort_keys=True))
    write(folder / "measured.json", json.dumps(MEASURED, indent=2))
    write(folder / "cell.json", json.dumps(_description(name, place), indent=2))
    write(folder / "history.jsonl", _history(random, metrics, share))
    (folder / "predictions.npz").write_bytes(stream.getvalue())


def _kept_share(row):
    """Every other method drops records, and so does its random control."""
    owner, part = divmod(row - 1, 3)
    drops = row and part < 2 and owner % 2 == 0
    return 0.9 - owner / 20 if drops else 1.0


def _probabilities(random, labels, lead):
    """Softmax outputs that are right more often, the larger `lead` is."""
    logits = random.normal(size=(len(labels), len(CLASSES)))
    logits[np.arange(len(labels)), labels] += lead
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _dataset(data):
    counts = {}
    for split, (_, patients, labels) in data.splits.items():
        support = np.bincount(labels, minlength=len(CLASSES)).tolist()
        counts[split] = {
            "records": len(labels),
            "patients": len(set(patients.tolist())),
            "classes": dict(zip(CLASSES, support, strict=True)),
        }
    part = dataset_part(data.label)
    return part | {"counts": {"train": part["counts"]["train"], **counts}}


def _description(name, place):
    budget = {"epochs": EPOCHS, "optimizer": {"use": "adamw", "lr": 0.005}}
    return {
        "dataset": {"name": place["dataset"], "params": {}, "options": {"leads": None}},
        "model": {"name": place["model"], "params": {"width": 16, "kernel": 7}},
        "strategies": [{"name": name, "params": {"confidence": 0.3, "warmup": 2}}],
        "budget": budget,
    }


def _history(random, metrics, share):
    """A line an epoch, as the standard loop writes them."""
    best = metrics["validation"]["macro_f1"]
    lines = []
    for epoch in range(EPOCHS):
        learnt = (epoch + 1) / EPOCHS
        loss, noise = 1.8 - learnt, random.normal(scale=0.01)
        row = {
            "effective_epochs": (epoch + 1) * share,
            "epoch": epoch,
            "first_batch": f"{epoch:08x}",
            "flops": int(410_000_000_000 * (epoch + 1) * share),
            "forward_epochs": epoch + 1.0,
            "kept": int(1253 * share),
            "kept_share": share,
            "kept_share_by_class": dict.fromkeys(CLASSES, share),
            "learning_rate": 0.005 * (1 - learnt),
            "loops": {},
            "loss": loss + noise,
            "phase": "train",
            "scored": 1253,
            "seen": 1253,
            "skipped_batches": 0,
            "steps": 20,
            "validation": {
                "accuracy": 0.4 + learnt / 4,
                "label_accuracy": None,
                "loss": loss + 0.2 + noise,
                "macro_auroc": 0.6 + learnt / 5,
                "macro_f1": min(max(best * learnt**0.3 + noise, 0.0), 1.0),
            },
        }
        lines.append(json.dumps(row, sort_keys=True) + "\n")
    return "".join(lines)
