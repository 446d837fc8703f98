"""Taught cells, their teachers and their controls, with the predictions of each."""

import io

import numpy as np

from harness.metrics.metrics import evaluate_probabilities

CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
LEADS = ("I", "II", "V1")


def records_of(split, patients=120):
    """Ids, patients and labels of a test split; a third of the patients has two
    records.
    """
    draw = np.random.default_rng(split)
    owners = np.sort(draw.choice(1000, patients, replace=False))
    owners = np.concatenate([owners, owners[: patients // 3]])
    labels = draw.choice(5, len(owners), p=[0.4, 0.2, 0.2, 0.1, 0.1])
    ids = np.array([f"{i:05d}" for i in range(len(owners))])
    return ids, np.array([f"p{owner}" for owner in owners]), labels


def predictions(right, draw, split=0, patients=120):
    """The arrays of `predictions.npz`, about so many of whose records are right."""
    ids, owners, labels = records_of(split, patients)
    guess = np.where(
        draw.random(len(ids)) < right, labels, draw.integers(0, 5, len(ids))
    )
    probabilities = np.full((len(ids), 5), 0.1, np.float32)
    probabilities[np.arange(len(ids)), guess] = 0.6
    return {
        "test_records": ids,
        "test_patients": owners,
        "test_labels": labels,
        "test_probabilities": probabilities,
    }


def multi_label(arrays):
    """The same, decided class by class: where one is wrong, two labels are."""
    names = "test_labels", "test_probabilities"
    labels, probabilities = (arrays[name] for name in names)
    truth = np.eye(5, dtype=np.float32)[labels]
    return arrays | dict(zip(names, (truth, probabilities), strict=True))


def write_predictions(folder, arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    (folder / "predictions.npz").write_bytes(stream.getvalue())


def add_judged(runs, strategy, arrays, *, seed=0, leads=None, split=0, **rest):
    """A done cell with these predictions; what the list of cells says of it."""
    labels = arrays["test_labels"]
    task = "single-label" if labels.ndim == 1 else "multi-label"
    found = evaluate_probabilities(arrays["test_probabilities"], labels, CLASSES, task)
    given = {"leads": leads} if leads else {}
    given |= {"split": {"seed": split}} if split else {}
    shown = [f"leads={'+'.join(leads)}"] if leads else []
    shown += [f"split.seed={split}"] if split else []
    label = f"ptbxl ({', '.join(shown)})" if shown else "ptbxl"
    changes = {"dataset.leads": list(leads or LEADS), "dataset.task": task}
    changes |= {"dataset.name": "ptbxl", "metrics.test": found}
    folder = runs.done(
        strategy, seed, found["macro_f1"], dataset=label, changes=changes, **rest
    )
    write_predictions(folder, arrays)
    runs.cells[-1]["data"] = {"name": "ptbxl", "version": 1, "options": given}
    return runs.cells[-1]


def add_taught(runs, leads, controls, *, seed=0, split=0, taught=0.7, teacher=0.9):
    """A teacher, a cell that it teaches, and that cell's controls: by the share of
    records that each has right.
    """
    draw = np.random.default_rng([seed, split, *map(ord, "".join(leads))])
    place = {"seed": seed, "split": split}
    known = [c for c in runs.cells if c["role"] == "required"]
    title = f"teacher of {seed}, {split}"
    found = [c for c in known if c["teaches"] == title]
    if not found:
        arrays = predictions(teacher, np.random.default_rng([seed, split]), split)
        found = [add_judged(runs, "baseline", arrays, role="required", **place)]
        found[0]["teaches"] = title
    place["leads"] = list(leads)
    cell = add_judged(runs, "distillation", predictions(taught, draw, split), **place)
    cell["requires"] = {"teacher": found[0]["id"]}
    for name, right in controls.items():
        arrays = predictions(right, draw, split)
        label = f"distillation: {name}"
        beside = add_judged(runs, label, arrays, role="control", **place)
        beside["controls"] = [{"of": cell["id"], "name": name}]
    return cell
