"""Dividing records into train, validation and test, disjoint by patient.

Stratified: so that each class has its share in each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.data.order import generator
from harness.data.split_file import from_file
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


def stratified(records: pd.DataFrame, split: Split) -> pd.Series:
    """Divide patients so that each split has its share of each class.

    Iterative stratification (Sechidis et al. 2011, doi:10.1007/978-3-642-23808-6_10,
    algorithm 1) over patients, each with the classes of all their records. Where
    records have one class this is stratification by the patient's rarest class.
    """
    shares = np.array([1 - split.validation - split.test, split.validation, split.test])
    subset = _subset_by_patient(records, shares, generator(split.seed, "split"))
    return pd.Series(np.array(SPLITS, dtype=object)[subset], records.index)


def within_label_ratio(
    records: pd.DataFrame, split: Split, dataset_name: str
) -> pd.Series:
    """Whether each record is used: all but training records beyond the label ratio.

    That share of the training patients is chosen as `stratified` chooses splits, each
    with all their records. What is chosen at two ratios needn't be nested.

    Parameters
    ----------
    records
        With the column `split`.

    Returns
    -------
    Series
        bool, of the records' index.

    Raises
    ------
    ConfigError
        If no training record is left.
    """
    used = pd.Series(data=True, index=records.index)
    if split.label_ratio == 1:
        return used
    train = records[records["split"] == "train"]
    shares = np.array([split.label_ratio, 1 - split.label_ratio])
    order = generator(split.seed, "label-ratio")
    used[train.index] = _subset_by_patient(train, shares, order) == 0
    if len(train) and not used[train.index].any():
        raise ConfigError(
            f"split.label_ratio: {split.label_ratio:g} leaves none of "
            f"{len(train):,} training records; give a larger share",
            f"dataset {dataset_name!r}",
        )
    return used


def _subset_by_patient(
    records: pd.DataFrame, shares: np.ndarray, order: np.random.Generator
) -> np.ndarray:
    """The subset of each record, int64 of shape (records,): that of its patient.

    Parameters
    ----------
    shares
        Of the subsets, summing to 1.
    order
        Draws the order in which patients are placed.
    """
    patients = pd.unique(records["patient"])
    patients = patients[order.permutation(len(patients))]
    row = pd.Series(np.arange(len(patients)), index=patients)
    classes = sorted({c for labels in records["labels"] for c in labels})
    column = {c: i for i, c in enumerate(classes)}
    has = np.zeros((len(patients), len(classes)), dtype=bool)
    for patient, labels in zip(records["patient"], records["labels"], strict=True):
        has[row[patient], [column[c] for c in labels]] = True
    return iterative_stratification(has, shares)[row[records["patient"]]]


def iterative_stratification(has: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The subset of each example, by algorithm 1 of Sechidis et al. (2011).

    Parameters
    ----------
    has
        bool, shape (examples, labels). Ties between examples go by their order, ties
        between subsets to the first.
    shares
        Shape (subsets,), summing to 1.

    Returns
    -------
    ndarray
        int64, shape (examples,).
    """
    subset = np.full(len(has), -1, dtype=np.int64)
    wanted = len(has) * shares
    wanted_of = np.outer(shares, has.sum(axis=0))

    def place(example: int, preference: np.ndarray) -> None:
        best = int(np.lexsort((np.arange(len(shares)), -wanted, -preference))[0])
        subset[example] = best
        wanted[best] -= 1
        wanted_of[best, has[example]] -= 1

    while True:
        left = has[subset < 0].sum(axis=0)
        if not left.any():
            break
        label = int(np.argmin(np.where(left > 0, left, len(has) + 1)))
        for example in np.flatnonzero(has[:, label] & (subset < 0)):
            place(int(example), wanted_of[:, label])
    for example in np.flatnonzero(subset < 0):
        place(int(example), wanted)
    return subset
