"""PhysioNet/CinC Challenge 2017: short single-lead recordings of a hand-held device."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness import DataError, Dataset

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FOLDERS = ("training2017", ".")
REFERENCES = ("REFERENCE-v3.csv", "REFERENCE.csv")
RECORD_ID = re.compile(r"[A-Za-z0-9_-]+")


class CinC2017(Dataset):
    """AF, normal, other rhythm or noise from one lead of 9 to 61 s (CinC 2017).

    Classes are normal sinus rhythm (N), atrial fibrillation (A), other rhythm (O) and
    too noisy (~). The folder holds `training2017/` in its original layout, with
    `REFERENCE-v3.csv` (the revised labels, preferred) or `REFERENCE.csv` in it or
    beside it.

    The electrodes are held in two hands, which is lead I (LA-RA) by position: the
    header's `ECG` is offered as `I`. Many recordings are upside down, because the
    device could be held either way round (Clifford et al. 2017); nothing is done
    about it here.

    The set publishes no patients: each record counts as a patient of its own.
    """

    name = "cinc2017"
    reference = "Clifford et al. 2017, doi 10.22489/CinC.2017.065-469"
    citation = (
        "Clifford GD, et al. AF Classification from a Short Single Lead ECG Recording: "
        "the PhysioNet/Computing in Cardiology Challenge 2017. Computing in "
        "Cardiology 2017;44. doi 10.22489/CinC.2017.065-469"
    )
    license = "ODC-By 1.0"
    source = "https://physionet.org/content/challenge-2017/1.0.0/"
    folder = "cinc2017"
    index_files = tuple(
        (Path(folder) / reference).as_posix()
        for reference in REFERENCES
        for folder in FOLDERS
    )

    classes = ("N", "A", "O", "~")
    leads = ("I",)
    sampling_rate = 300.0
    class_subsets = {"f1_nao": ("N", "A", "O")}  # noqa: RUF012 (as Dataset has it)

    @property
    def label_rule(self) -> str:
        """Which of the published label files is used."""
        return f"one class a record, as published in {self._reference().name}"

    def records(self) -> pd.DataFrame:
        """The records of the reference file."""
        import pandas as pd

        reference = self._reference()
        labels = read_reference(reference)
        folder = self._signal_folder()
        ids = list(labels)
        columns = {
            "patient": ids,
            "labels": [(label,) for label in labels.values()],
            "files": [(f"{folder}{i}.mat", f"{folder}{i}.hea") for i in ids],
        }
        return pd.DataFrame(columns, index=pd.Index(ids, name="record", dtype=str))

    def read(self, record: pd.Series) -> np.ndarray:
        """Lead I, shape (1, samples), in mV."""
        from harness import read_wfdb

        path = self.root / Path(record["files"][0]).with_suffix("")
        return read_wfdb(path, ["ECG"], self.sampling_rate)

    def _reference(self) -> Path:
        candidates = [self.root / file for file in self.index_files]
        for path in candidates:
            if path.is_file():
                return path
        raise DataError(
            f"{self.root}: no {' or '.join(REFERENCES)}, neither there nor in "
            f"{FOLDERS[0]}/"
        )

    def _signal_folder(self) -> str:
        """Where the signals lie, below the root, as a prefix of their paths."""
        inside = self.root / FOLDERS[0]
        return f"{FOLDERS[0]}/" if inside.is_dir() else ""


def read_reference(path: Path) -> dict[str, str]:
    """Record id -> class, of lines such as `A00001,N`.

    Raises
    ------
    DataError
        If the file can't be read, a line is not a record id and a class, or its
        record came before.
    """
    labels: dict[str, str] = {}
    try:
        # Spreadsheets put a byte order mark before what they export.
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(enumerate(csv.reader(file, strict=True), start=1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: can't be read ({error})") from error
    for line, row in rows:
        if not row:
            continue
        if (
            len(row) != 2
            or row[1] not in CinC2017.classes
            or not RECORD_ID.fullmatch(row[0])
        ):
            raise DataError(
                f"{path}, line {line}: {','.join(row)[:80]!r} is not a record id and "
                f"one of {', '.join(CinC2017.classes)}"
            )
        if row[0] in labels:
            raise DataError(f"{path}, line {line}: {row[0]} is listed twice")
        labels[row[0]] = row[1]
    return labels
