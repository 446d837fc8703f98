"""The record index: which records are used, in which split, and why others aren't."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from harness.data.check_options import check_options
from harness.data.splits import assign_splits, check_splits, within_label_ratio
from harness.errors import DataError, did_you_mean
from harness.files.atomic import canonical
from harness.options import DataOptions
from harness.plugin import SPLITS, Dataset

REQUIRED = ("patient", "labels", "files")
SHOWN = 5
LONGEST_ID = 200
BEYOND_RATIO = "beyond the label ratio"


@dataclass(frozen=True)
class RecordIndex:
    """The records of a data set that a suite uses.

    Attributes
    ----------
    records
        One row a record, in the data set's order; index: record id. Columns of
        `Dataset.records`, and `split`: train, validation or test.
    excluded
        How many records are left out, by reason.
    fingerprint
        SHA-256 (16 digits) of the records' ids, labels, patients and file sizes; it
        doesn't depend on which split a record is in.
    counts
        For each split `records`, `patients`, and `classes`: records by class.
    """

    records: pd.DataFrame
    excluded: dict[str, int]
    fingerprint: str
    counts: dict[str, dict[str, Any]]

    @property
    def split_hash(self) -> str:
        """Of which record is in which split, 16 hexadecimal digits."""
        pairs = sorted(zip(self.records.index, self.records["split"], strict=True))
        return hashlib.sha256(canonical(pairs).encode()).hexdigest()[:16]


def index_records(
    dataset: Dataset,
    options: DataOptions,
    suite_folder: Path | None = None,
    listed: pd.DataFrame | None = None,
) -> RecordIndex:
    """Ask a data set for its records, check them and divide them into splits.

    Parameters
    ----------
    listed
        The data set's records, where they have been asked for already.

    Raises
    ------
    DataError
        If the records aren't what the data set declares, or a split is unusable.
    ConfigError
        If the set can't serve the options, or the split can't be made.
    """
    asked = dataset.records() if listed is None else listed
    _check_columns(asked, dataset)
    check_options(dataset, options, asked.columns)
    records, excluded = _kept(asked)
    _check_names(records, dataset)
    _check_labels(records, dataset)
    known = frozenset(asked.index.map(str))
    split, reason = assign_splits(records, dataset, options.split, suite_folder, known)
    records = records.assign(split=split)
    outside = int((records["split"] == "").sum())
    if outside:
        excluded[reason] = outside
        records = records[records["split"] != ""]
    used = within_label_ratio(records, options.split, dataset.name)
    if not used.all():
        excluded[BEYOND_RATIO] = int((~used).sum())
        records = records[used]
    check_splits(records, dataset)
    return RecordIndex(
        records=records,
        excluded=excluded,
        fingerprint=_fingerprint(records, dataset),
        counts={name: _count(records, name, dataset.classes) for name in SPLITS},
    )


def summarise(index: RecordIndex) -> dict[str, Any]:
    """What every result says of its data, as plain JSON values."""
    return {
        "fingerprint": index.fingerprint,
        "counts": index.counts,
        "excluded": index.excluded,
    }


def _check_columns(records: pd.DataFrame, dataset: Dataset) -> None:
    wanted = [*REQUIRED, *(["fold"] if dataset.official_folds is not None else [])]
    missing = [c for c in wanted if c not in records.columns]
    if missing:
        raise DataError(
            f"dataset {dataset.name!r}: records() lacks column(s) {', '.join(missing)}"
        )
    repeated = records.index[records.index.duplicated()].unique()
    if len(repeated):
        shown = ", ".join(map(str, repeated[:SHOWN]))
        raise DataError(
            f"dataset {dataset.name!r}: {len(repeated)} record id(s) occur more than "
            f"once: {shown}"
        )


def _kept(asked: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    records = asked.set_axis(asked.index.map(str), axis="index")
    records["patient"] = records["patient"].map(str)
    if "excluded" not in records.columns:
        return records, {}
    reasons = records.pop("excluded").fillna("")
    excluded = dict(sorted(Counter(reasons[reasons != ""]).items()))
    return records[reasons == ""], excluded


def _check_names(records: pd.DataFrame, dataset: Dataset) -> None:
    """Refuse ids and paths that do harm where they are shown, stored or opened."""
    columns = zip(records.index, records["patient"], records["files"], strict=True)
    for record, patient, files in columns:
        where = f"dataset {dataset.name!r}: record {record!r}"
        for name in (record, patient):
            if not name or len(name) > LONGEST_ID or not name.isprintable():
                raise DataError(f"{where}: {name!r} is no id: one line of text")
        for file in files:
            path = PurePosixPath(file)
            if path.is_absolute() or ".." in path.parts or not str(path).isprintable():
                raise DataError(f"{where}: {file!r} is no path below the data set's")
    odd = [c for c in dataset.classes if not c.isprintable() or not c]
    if odd or len(set(dataset.classes)) < len(dataset.classes):
        raise DataError(
            f"dataset {dataset.name!r}: classes must be lines of text, each once: "
            f"{list(dataset.classes)}"
        )


def _check_labels(records: pd.DataFrame, dataset: Dataset) -> None:
    known = set(dataset.classes)
    for record, labels in records["labels"].items():
        where = f"dataset {dataset.name!r}: record {record}"
        unknown = [c for c in labels if c not in known]
        if unknown:
            raise DataError(
                f"{where} has the unknown class {unknown[0]!r}; "
                f"{did_you_mean(unknown[0], known)}"
            )
        if dataset.task == "single-label" and len(labels) != 1:
            raise DataError(
                f"{where} has {len(labels)} labels; a single-label set needs exactly "
                "one, or a reason in the column `excluded`"
            )


def _count(records: pd.DataFrame, split: str, classes: Sequence[str]) -> dict[str, Any]:
    rows = records[records["split"] == split]
    seen = Counter(c for labels in rows["labels"] for c in labels)
    return {
        "records": len(rows),
        "patients": int(rows["patient"].nunique()),
        "classes": {c: seen[c] for c in classes},
    }


def _fingerprint(records: pd.DataFrame, dataset: Dataset) -> str:
    digest = hashlib.sha256()
    if dataset.official_folds is not None:
        digest.update(canonical([int(fold) for fold in records["fold"]]).encode())
    columns = zip(
        records.index,
        records["patient"],
        records["labels"],
        records["files"],
        strict=True,
    )
    for record, patient, labels, files in columns:
        # The size of a generated file says nothing that the parameters don't.
        sizes = [_size(dataset.root / f) for f in files] if dataset.folder else []
        digest.update(canonical([record, patient, sorted(labels), sizes]).encode())
    return digest.hexdigest()[:16]


def _size(path: Path) -> int:
    """Size in bytes; -1 for a missing file, which is found to be bad when read."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
