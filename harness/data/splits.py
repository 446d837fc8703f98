"""Dividing records into train, validation and test, disjoint by patient."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from harness.data.split_file import from_file
from harness.data.stratification import stratified
from harness.errors import ConfigError, DataError
from harness.files.paths import expanded
from harness.options import Split
from harness.plugin import SPLITS, Dataset, SplitName

SHOWN = 5


def assign_splits(
    records: pd.DataFrame,
    dataset: Dataset,
    split: Split,
    suite_folder: Path | None,
    known: Collection[str],
) -> tuple[pd.Series, str]:
    """The split of each record, empty where it is in none, and why that may be.

    `known` are all ids of the data set: a file of ids may also hold those that the
    label rule leaves out.

    Raises
    ------
    ConfigError
        If the set has no official folds, or the file of ids can't be used.
    """
    if split.file is not None:
        path = (suite_folder or Path()) / expanded(split.file)
        named = from_file(records, path, dataset.name, known)
        return named, f"in no split of {path.name}"
    official = dataset.official_folds
    if split.folds == "official" and official is None:
        raise ConfigError(
            f"dataset {dataset.name!r} has no official folds; "
            'use split = { folds = "stratified" } or a file of ids'
        )
    if official is not None and split.folds != "stratified":
        return from_folds(records, official), "in no official fold"
    return stratified(records, split), ""


def from_folds(
    records: pd.DataFrame, folds: Mapping[SplitName, Sequence[int]]
) -> pd.Series:
    """The split to which each record's `fold` belongs."""
    split_of = {fold: name for name in SPLITS for fold in folds[name]}
    return records["fold"].map(split_of).fillna("").astype(object)


def check_splits(records: pd.DataFrame, dataset: Dataset) -> None:
    """Refuse splits that share a patient, are empty or hold nothing to tell apart.

    Raises
    ------
    DataError
        Which split, and how many records it has.
    """
    splits_of = records.groupby("patient", sort=False)["split"].nunique()
    shared = [str(p) for p in splits_of.index[splits_of > 1]]
    if shared:
        shown = ", ".join(shared[:SHOWN]) + (", ..." if len(shared) > SHOWN else "")
        raise DataError(
            f"dataset {dataset.name!r}: {len(shared)} patient(s) have records in more "
            f"than one split: {shown}"
        )
    for name in SPLITS:
        labels = records.loc[records["split"] == name, "labels"]
        if len(labels) == 0:
            raise DataError(
                f"dataset {dataset.name!r}: the {name} split is empty "
                f"({len(records)} records in all); give it a larger share"
            )
        if len(dataset.classes) > 1 and not _differs(labels):
            raise DataError(
                f"dataset {dataset.name!r}: all {len(labels)} records of the {name} "
                f"split are labelled {', '.join(labels.iloc[0]) or 'with nothing'}; "
                "there is nothing to tell apart"
            )


def _differs(labels: pd.Series) -> bool:
    return len({frozenset(names) for names in labels}) > 1
