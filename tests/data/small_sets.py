"""Two small data sets in the formats of real ones, written and read back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import scipy.io
import wfdb

from harness import DataError, Dataset, read_wfdb

CLASSES = ("N", "A", "O")


class SmallSet(Dataset):
    """WFDB records of two leads and 2 s, one or two a patient, some multi-label."""

    name = "small"
    folder = "small"
    source = "https://example.org/small"
    index_files = ("records.csv",)
    classes = CLASSES
    leads = ("I", "II")
    sampling_rate = 100.0
    seconds = 2.0

    class Params(Dataset.Params):
        multi: bool = False

    @property
    def task(self):
        return "multi-label" if self.params.multi else "single-label"

    def records(self):
        path = self.root / "records.csv"
        if not path.is_file():
            raise DataError(f"no file {path}")
        table = pd.read_csv(path, index_col="id", dtype=str, keep_default_na=False)
        table["labels"] = [
            tuple(x.split("+") if self.params.multi else x.split("+")[:1])
            for x in table["labels"]
        ]
        table["files"] = [(f"data/{i}.dat", f"data/{i}.hea") for i in table.index]
        table["fold"] = table["fold"].astype(int)
        table["age"] = pd.to_numeric(table["age"])
        return table

    def read(self, record):
        return read_wfdb(self.root / "data" / record.name, self.leads)


class FoldedSet(SmallSet):
    """The same with official folds."""

    official_folds: ClassVar = {"train": (1, 2, 3), "validation": (4,), "test": (5,)}


class MatSet(Dataset):
    """MATLAB 4 records of one lead, of unequal length, as in CinC 2017."""

    name = "mat"
    folder = "mat"
    index_files = ("REFERENCE.csv",)
    classes = CLASSES
    leads = ("I",)
    sampling_rate = 300.0

    def records(self):
        rows = list(csv.reader((self.root / "REFERENCE.csv").read_text().splitlines()))
        return pd.DataFrame(
            {
                "patient": [i for i, _ in rows],
                "labels": [(label,) for _, label in rows],
                "files": [(f"{i}.mat",) for i, _ in rows],
            },
            index=[i for i, _ in rows],
        )

    def read(self, record):
        path = self.root / f"{record.name}.mat"
        return scipy.io.loadmat(path)["val"].astype(np.float32) / 1000


class GeneratedSet(SmallSet):
    """Records that are generated when they're first needed."""

    folder = ""
    index_files = ()

    def records(self):
        ids = [f"g{i:02}" for i in range(24)]
        return pd.DataFrame(
            {
                "patient": ids,
                "labels": [(CLASSES[i % 3],) for i in range(24)],
                "files": [(f"data/{i}.dat", f"data/{i}.hea") for i in ids],
                "fold": 1,
            },
            index=ids,
        )

    def generate(self, record):
        write_record(self.root / "data", str(record.name), beats(int(record.name[1:])))


def beats(seed, leads=2, samples=200):
    """A signal in mV with an offset, different in each lead: (leads, samples)."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 100
    waves = [np.sin(2 * np.pi * (1 + k) * time + seed) + k for k in range(leads)]
    return np.array(waves) + 0.05 * rng.standard_normal((leads, samples))


def write_record(folder, name, signal):
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=100,
        units=["mV"] * len(signal),
        sig_name=["I", "II"],
        p_signal=signal.T,
        fmt=["16"] * len(signal),
        write_dir=str(folder),
    )


def write_small_set(root: Path, records=40) -> Path:
    """Records r00, r01, ...: every third patient has two; N is frequent, O rare."""
    lines = ["id,patient,labels,fold,excluded,age"]
    for i in range(records):
        patient = i - 1 if i % 4 == 1 else i
        labels = ("O" if i % 8 == 3 else "A" if i % 4 == 2 else "N") + (
            "+A" if i % 8 == 3 else ""
        )
        age = "" if i % 10 == 0 else str(30 + i)
        excluded = "no rhythm" if i % 20 == 19 else ""
        lines.append(f"r{i:02},p{patient},{labels},{1 + patient % 5},{excluded},{age}")
        write_record(root / "data", f"r{i:02}", beats(i))
    (root / "records.csv").write_text("\n".join(lines) + "\n")
    return root


def write_mat_set(root: Path, records=30) -> Path:
    """Records m00, m01, ... of 2 to 5 s."""
    root.mkdir(parents=True)
    lines = []
    for i in range(records):
        signal = beats(i, leads=1, samples=600 + (i * 137) % 900)
        value = np.round(signal * 1000).astype(np.int16)
        scipy.io.savemat(root / f"m{i:02}.mat", {"val": value}, format="4")
        lines.append(f"m{i:02},{CLASSES[i % 3]}\n")
    (root / "REFERENCE.csv").write_text("".join(lines))
    return root
