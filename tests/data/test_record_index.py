import json
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sets import FoldedSet, GeneratedSet, SmallSet

from harness import ConfigError, DataError
from harness.data.record_index import index_records, summarise
from harness.data.splits import iterative_stratification, stratified
from harness.options import DataOptions, Split
from harness.plugin import SPLITS


def options(**split):
    return DataOptions(split=Split(**{"validation": 0.25, "test": 0.25, **split}))


def from_file(path, content):
    path.write_text(json.dumps(content))
    return DataOptions(split=Split(file=path.name))


class Edited(SmallSet):
    """The small set with a change to what `records` returns."""

    def __init__(self, root, change):
        super().__init__(root=root)
        self.change = change

    def records(self):
        return self.change(super().records())


def test_excluded_records_are_counted_with_their_reason(small):
    index = index_records(small, options())
    assert index.excluded == {"no rhythm": 2}
    assert "r19" not in index.records.index
    assert len(index.records) == 38
    assert set(index.records["split"]) == set(SPLITS)


def test_records_keep_their_order_and_columns(small):
    index = index_records(small, options())
    assert list(index.records.index) == sorted(index.records.index)
    assert {"patient", "labels", "files", "split", "age"} <= set(index.records.columns)


def test_counts_add_up(small):
    index = index_records(small, options())
    assert sum(c["records"] for c in index.counts.values()) == 38
    for name in SPLITS:
        rows = index.records[index.records["split"] == name]
        counts = index.counts[name]
        assert counts["patients"] == rows["patient"].nunique()
        assert list(counts["classes"]) == list(small.classes)
        assert sum(counts["classes"].values()) == len(rows)


def test_a_summary_is_plain_json(small):
    summary = summarise(index_records(small, options()))
    assert json.loads(json.dumps(summary)) == summary


def test_a_split_does_not_change_the_fingerprint(small):
    first = index_records(small, options(seed=0))
    second = index_records(small, options(seed=1))
    assert first.fingerprint == second.fingerprint
    assert not first.records["split"].equals(second.records["split"])


def test_a_label_a_patient_and_a_file_size_change_the_fingerprint(recordings):
    root = recordings / "small"
    seen = {index_records(SmallSet(root=root), options()).fingerprint}
    table = root / "records.csv"
    table.write_text(table.read_text().replace("r02,p2,A", "r02,p2,N"))
    seen.add(index_records(SmallSet(root=root), options()).fingerprint)
    table.write_text(table.read_text().replace("r02,p2,", "r02,p3,"))
    seen.add(index_records(SmallSet(root=root), options()).fingerprint)
    with (root / "data/r02.dat").open("ab") as file:
        file.write(b"0")
    seen.add(index_records(SmallSet(root=root), options()).fingerprint)
    assert len(seen) == 4


def test_generated_records_need_not_exist_to_be_indexed(tmp_path):
    dataset = GeneratedSet(root=tmp_path / "none")
    assert len(index_records(dataset, options()).records) == 24


def test_official_folds_are_the_default_where_a_set_has_them(written):
    dataset = FoldedSet(root=written / "small")
    records = index_records(dataset, DataOptions()).records
    assert set(records.loc[records["split"] == "test", "fold"]) == {5}
    assert set(records.loc[records["split"] == "train", "fold"]) == {1, 2, 3}
    chosen = index_records(dataset, options(folds="stratified")).records
    assert set(chosen.loc[chosen["split"] == "test", "fold"]) != {5}


def test_a_fold_of_no_split_is_left_out_and_counted(written):
    class Fewer(FoldedSet):
        official_folds: ClassVar = {"train": (1, 2), "validation": (4,), "test": (5,)}

    index = index_records(Fewer(root=written / "small"), DataOptions())
    assert index.excluded["in no official fold"] > 0


def test_official_folds_must_exist(small):
    with pytest.raises(ConfigError, match=r"'small' has no official folds.*stratified"):
        index_records(small, DataOptions(split=Split(folds="official")))


def test_a_file_of_ids(small, tmp_path):
    content = {
        "train": ["r00", "r01", "r02"],
        "val": ["r04", "r06"],
        "test": ["r08", "r10"],
    }
    for nested in (content, {"small": content}):
        index = index_records(small, from_file(tmp_path / "s.json", nested), tmp_path)
        assert index.excluded == {"no rhythm": 2, "in no split of s.json": 31}
        split = index.records["split"]
        assert split["r01"] == "train"
        assert split["r06"] == "validation"
        assert split["r10"] == "test"


def test_a_file_of_ids_may_name_what_the_label_rule_leaves_out(small, tmp_path):
    content = {
        "train": ["r00", "r02", "r19"],
        "validation": ["r04", "r06"],
        "test": ["r08", "r10"],
    }
    index = index_records(small, from_file(tmp_path / "s.json", content), tmp_path)
    assert "r19" not in index.records.index


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": ["x1", "x2", "r00"]}, r"no list of ids for validation and test"),
        ([1, 2], r"must hold"),
        (
            {"train": ["x1", "x2"], "validation": ["r04"], "test": ["r08"]},
            r"s\.json: 2 record id\(s\) unknown to dataset 'small': x1, x2",
        ),
        (
            {"train": ["r00", "r02"], "validation": ["r02"], "test": ["r08"]},
            r"1 record id\(s\) in more than one split: r02",
        ),
    ],
)
def test_a_file_of_ids_that_is_wrong(small, tmp_path, content, message):
    with pytest.raises(ConfigError, match=message):
        index_records(small, from_file(tmp_path / "s.json", content), tmp_path)


def test_a_file_of_ids_that_is_missing_or_broken(small, tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        index_records(small, DataOptions(split=Split(file="no such file")), tmp_path)
    (tmp_path / "s.json").write_text("{")
    with pytest.raises(ConfigError, match=r"s\.json: is no JSON"):
        index_records(small, DataOptions(split=Split(file="s.json")), tmp_path)


def test_a_patient_in_two_splits_is_an_error(small, tmp_path):
    content = {
        "train": ["r00", "r02"],
        "validation": ["r01", "r06"],
        "test": ["r08", "r10"],
    }
    with pytest.raises(DataError, match=r"1 patient\(s\) .* more than one split: p0"):
        index_records(small, from_file(tmp_path / "s.json", content), tmp_path)


def test_an_empty_split_is_an_error(small, tmp_path):
    content = {"train": ["r00", "r02"], "validation": [], "test": ["r08", "r10"]}
    with pytest.raises(DataError, match=r"validation split is empty \(4 records"):
        index_records(small, from_file(tmp_path / "s.json", content), tmp_path)


def test_a_split_of_one_class_is_an_error(small, tmp_path):
    content = {"train": ["r00", "r02"], "validation": ["r04"], "test": ["r08", "r10"]}
    with pytest.raises(DataError, match=r"all 1 records of the validation split .* N"):
        index_records(small, from_file(tmp_path / "s.json", content), tmp_path)


def test_labels_and_ids_are_checked(written):
    root = written / "small"

    def relabel(table):
        return table.assign(labels=[("AF",), *table["labels"][1:]])

    def unlabel(table):
        return table.assign(labels=[(), *table["labels"][1:]])

    def repeat(table):
        return pd.concat([table, table[:2]])

    def forget(table):
        return table.drop(columns="patient")

    for change, message in [
        (relabel, r"record r00 has the unknown class 'AF'; "),
        (unlabel, r"record r00 has 0 labels"),
        (repeat, r"2 record id\(s\) occur more than once: r00, r01"),
        (forget, r"lacks column\(s\) patient"),
    ]:
        with pytest.raises(DataError, match=message):
            index_records(Edited(root, change), options())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"leads": ["I", "IIl"]}, r"leads: there is no 'IIl'; did you mean 'II'"),
        ({"leads": ["I", "I"]}, r"leads: name at least one, and each once"),
        ({"leads": []}, r"leads: name at least one, and each once"),
        ({"side": ["sex"]}, r"side: there is no 'sex'"),
        ({"seconds": 0.001}, r"seconds: 0\.001 s is less than a sample at 100 Hz"),
        ({"filter": {"lowpass": 60.0}}, r"filter\.lowpass: 60 Hz must lie below 50 Hz"),
    ],
)
def test_options_that_do_not_fit_are_refused_at_once(small, wrong, message):
    with pytest.raises(ConfigError, match=f"^dataset 'small': {message}"):
        index_records(small, DataOptions.model_validate(wrong))


def test_all_that_does_not_fit_is_said_at_once(small):
    with pytest.raises(ConfigError) as raised:
        index_records(small, DataOptions(leads=["V1", "V2"], side=["sex"]))
    assert len(raised.value.problems) == 3


def test_multi_label_sets_are_split_too(written):
    dataset = SmallSet(SmallSet.Params(multi=True), written / "small")
    index = index_records(dataset, options())
    assert all(index.counts[name]["classes"]["O"] for name in SPLITS)


patients = st.lists(
    st.lists(
        st.frozensets(st.sampled_from("abcd"), max_size=3), min_size=1, max_size=4
    ),
    min_size=1,
    max_size=40,
)


@given(patients=patients, seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_stratified_splits_never_divide_a_patient(patients, seed):
    rows = [(f"p{i}", tuple(sorted(r))) for i, p in enumerate(patients) for r in p]
    table = pd.DataFrame(rows, columns=["patient", "labels"])
    split = stratified(table, Split(seed=seed))
    assert set(split) <= set(SPLITS)
    assert split.groupby(table["patient"]).agg(set).map(len).eq(1).all()
    assert split.equals(stratified(table, Split(seed=seed)))


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_each_split_gets_its_share_of_each_class(seed):
    rng = np.random.default_rng(seed)
    has = np.eye(4, dtype=bool)[rng.choice(4, 400, p=[0.6, 0.25, 0.1, 0.05])]
    shares = np.array([0.7, 0.1, 0.2])
    subset = iterative_stratification(has, shares)
    for i, share in enumerate(shares):
        assert np.abs(has[subset == i].sum(0) - share * has.sum(0)).max() <= 1.5


def test_rare_labels_of_a_multi_label_set_reach_every_split():
    rng = np.random.default_rng(0)
    has = rng.random((500, 20)) < np.geomspace(0.02, 0.5, 20)
    shares = np.array([0.7, 0.1, 0.2])
    subset = iterative_stratification(has, shares)
    sizes = np.bincount(subset) / len(has)
    assert np.abs(sizes - shares).max() < 0.01
    for i, share in enumerate(shares):
        wanted = share * has.sum(0)
        assert (np.abs(has[subset == i].sum(0) - wanted) <= 2 + 0.1 * wanted).all()
