"""Stratified splits of multi-label sets, and a share of their training records."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from small_sets import FoldedSet, SmallSet

from harness import ConfigError
from harness.data.record_index import index_records
from harness.data.splits import stratified, within_label_ratio
from harness.options import DataOptions, Split
from harness.plugin import SPLITS

SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
CLASSES = "abcde"
FREQUENCY = (0.4, 0.25, 0.1, 0.05, 0.02)


def labelled(patients=600, seed=0, most_records=1):
    """A multi-label table; about a third of the records have no class at all."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{patient}", tuple(np.array(list(CLASSES))[rng.random(5) < FREQUENCY]))
        for patient in range(patients)
        for _ in range(rng.integers(1, most_records + 1))
    ]
    ids = [f"r{i:04}" for i in range(len(rows))]
    return pd.DataFrame(rows, columns=["patient", "labels"], index=ids)


def having(table, name):
    return np.array([name in labels for labels in table["labels"]])


def label_distribution(table, split):
    """Mean difference of a label's odds in a split and in the whole set: the measure LD
    of Sechidis et al. (2011)."""
    off = []
    for name in CLASSES:
        has = having(table, name)
        whole = has.sum() / (~has).sum()
        for part in SPLITS:
            here = has[split == part]
            off.append(abs(here.sum() / (~here).sum() - whole))
    return np.mean(off)


def at_random(table, seed):
    rng = np.random.default_rng(seed)
    names = np.repeat(list(SHARES), [420, 60, 120])
    return pd.Series(rng.permutation(names), table.index)


@pytest.mark.parametrize("seed", range(5))
def test_each_label_has_its_share_in_each_split(seed):
    table = labelled(seed=seed)
    split = stratified(table, Split(seed=seed))
    for part, share in SHARES.items():
        assert abs((split == part).mean() - share) < 0.01
        for name in CLASSES:
            has = having(table, name)
            assert abs(has[split == part].sum() - share * has.sum()) <= 2


def test_labels_are_spread_better_than_at_random():
    """What Sechidis et al. (2011) find: a lower LD than that of random splits."""
    table = labelled()
    own = [label_distribution(table, stratified(table, Split(seed=s))) for s in (0, 1)]
    random = [label_distribution(table, at_random(table, s)) for s in range(10)]
    assert max(own) < 0.5 * min(random)


def test_a_rare_label_is_in_each_split_that_its_share_reaches():
    table = labelled()
    table["labels"] = [
        (*labels, "rare") if i % 60 == 0 else labels
        for i, labels in enumerate(table["labels"])
    ]
    split = stratified(table, Split())
    found = split[having(table, "rare")].value_counts()
    assert found.to_dict() == {"train": 7, "test": 2, "validation": 1}


def test_records_without_a_class_are_spread_too():
    table = labelled()
    none = np.array([not labels for labels in table["labels"]])
    assert none.sum() > 150
    split = stratified(table, Split())
    for part, share in SHARES.items():
        assert abs((split[none] == part).mean() - share) < 0.03


def test_patients_stay_whole_whatever_their_records():
    table = labelled(patients=300, most_records=5)
    split = stratified(table, Split(seed=3))
    assert split.groupby(table["patient"]).nunique().eq(1).all()
    for part, share in SHARES.items():
        assert abs(table["patient"][split == part].nunique() / 300 - share) < 0.01


def test_a_seed_is_one_split():
    table = labelled()
    first, again, other = (stratified(table, Split(seed=s)) for s in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_the_order_within_patients_and_of_labels_is_irrelevant():
    table = labelled(patients=100, most_records=4)
    turned = pd.concat([rows[::-1] for _, rows in table.groupby("patient", sort=False)])
    turned["labels"] = [labels[::-1] for labels in turned["labels"]]
    split = stratified(turned, Split())
    assert split[table.index].equals(stratified(table, Split()))


def test_labels_have_their_share_in_any_order_of_the_records():
    table = labelled().sample(frac=1, random_state=0)
    split = stratified(table, Split())
    assert label_distribution(table, split) < 0.02


@pytest.mark.parametrize(
    ("several", "digest"), [(False, "7ea8966f7ad52965"), (True, "aea4175802623aee")]
)
def test_golden_split(several, digest):
    """If this fails, results on stratified splits were of other records than before."""
    rng = np.random.default_rng(0)
    rows = []
    for patient in range(300):
        for _ in range(1 + patient % 3):
            drawn = [p for p in (0.5, 0.3, 0.1, 0.03) if rng.random() < p]
            names = tuple({0.5: "a", 0.3: "b", 0.1: "c", 0.03: "d"}[p] for p in drawn)
            labels = names if several else (names or ("a",))[:1]
            rows.append((f"p{patient}", labels))
    table = pd.DataFrame(rows, columns=["patient", "labels"])
    text = " ".join(stratified(table, Split()))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest


def thinned(table, ratio, seed=0):
    split = Split(label_ratio=ratio, seed=seed)
    table = table.assign(split=stratified(table, split))
    return table, within_label_ratio(table, split, "small")


@pytest.mark.parametrize("ratio", [0.1, 0.25, 0.5])
def test_a_label_ratio_keeps_that_share_of_patients_and_of_each_label(ratio):
    table, used = thinned(labelled(most_records=3), ratio)
    train = (table["split"] == "train").to_numpy()
    assert used[~train].all()
    assert used.groupby(table["patient"]).nunique().eq(1).all()
    kept = table["patient"][train & used].nunique()
    assert abs(kept / table["patient"][train].nunique() - ratio) < 0.02
    by_label = [used[train & having(table, name)].mean() for name in CLASSES[:4]]
    assert np.abs(np.array(by_label) - ratio).max() < 0.1


def test_a_label_ratio_is_drawn_with_the_seed_of_the_split():
    table = labelled()
    assert thinned(table, 0.5)[1].equals(thinned(table, 0.5)[1])
    table["split"] = "train"
    first, second = (
        within_label_ratio(table, Split(label_ratio=0.5, seed=seed), "small")
        for seed in (0, 1)
    )
    assert not first.equals(second)


def test_records_beyond_the_label_ratio_are_counted(small):
    split = {"validation": 0.25, "test": 0.25}
    whole = index_records(small, DataOptions(split=Split(**split)))
    half = index_records(small, DataOptions(split=Split(**split, label_ratio=0.5)))
    left = whole.counts["train"]["records"] - half.counts["train"]["records"]
    assert half.excluded == {"no rhythm": 2, "beyond the label ratio": left}
    patients = [index.counts["train"]["patients"] for index in (half, whole)]
    assert abs(patients[0] - patients[1] / 2) <= 1
    for name in ("validation", "test"):
        assert half.counts[name] == whole.counts[name]
    assert set(half.records.index) < set(whole.records.index)
    assert half.fingerprint != whole.fingerprint


def test_official_folds_can_have_a_label_ratio(written):
    dataset = FoldedSet(root=written / "small")
    whole = index_records(dataset, DataOptions())
    half = index_records(dataset, DataOptions(split=Split(label_ratio=0.5)))
    assert half.counts["test"] == whole.counts["test"]
    assert half.counts["train"]["records"] < whole.counts["train"]["records"]


def test_a_multi_label_set_can_have_a_label_ratio(written):
    dataset = SmallSet(SmallSet.Params(multi=True), written / "small")
    split = Split(validation=0.25, test=0.25, label_ratio=0.5)
    index = index_records(dataset, DataOptions(split=split))
    assert index.excluded["beyond the label ratio"] > 0


def test_a_label_ratio_that_leaves_too_little_is_refused(small):
    split = Split(validation=0.25, test=0.25, label_ratio=0.001)
    message = r"'small': split\.label_ratio: 0\.001 leaves none of 19 training"
    with pytest.raises(ConfigError, match=message):
        index_records(small, DataOptions(split=split))
