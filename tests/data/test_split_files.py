"""Files of record ids, and splits as an axis of a suite."""

import json

import pytest
from small_sets import SmallSet

from harness import ConfigError, DataError
from harness.data.dataset import open_data
from harness.data.record_index import index_records
from harness.options import DataOptions, Split
from harness.plan.matrix import cells_of
from harness.plan.plan import make_plan
from harness.suite.resolve import read_suite

LISTS = {
    "train": ["r00", "r01", "r02"],
    "val": ["r04", "r06"],
    "test": ["r08", "r10"],
}
ALL = [i for ids in LISTS.values() for i in ids]
PUBLISHED = {"all": ALL, **LISTS}
SUITE = """
plugins = ["{needy}"]
[budget]
epochs = 1
[[dataset]]
use = "synthetic"
records = 60
{split}
[[model]]
use = "cnn1d"
[[strategy]]
use = "{strategy}"
"""
NEEDY = '''
from harness import Strategy, hookimpl


class Needy(Strategy):
    """A strategy for tests."""

    name = "needy"

    @hookimpl
    def requires(self, cell):
        return {"teacher": cell.with_strategy("baseline")}
'''


@pytest.fixture
def index(small, tmp_path):
    def indexed(content, dataset=small):
        (tmp_path / "s.json").write_text(json.dumps(content))
        return index_records(dataset, DataOptions(split=Split(file="s.json")), tmp_path)

    return indexed


@pytest.fixture(scope="module")
def needy(tmp_path_factory):
    path = tmp_path_factory.mktemp("needy") / "needy.py"
    path.write_text(NEEDY)
    return path


@pytest.fixture
def suite(needy, tmp_path):
    def written(split, strategy="baseline"):
        path = tmp_path / "suite.toml"
        path.write_text(SUITE.format(needy=needy, split=split, strategy=strategy))
        return path

    return written


@pytest.fixture
def cells(suite):
    def found(split):
        read, _ = read_suite(suite(split))
        return cells_of(read, {entry.label: "f" * 16 for entry in read.datasets})

    return found


@pytest.mark.parametrize("name", ["small", "SMALL", "Sm-all", "PTB-XL"])
def test_the_published_form_names_its_data_set_as_it_likes(index, name):
    found = index({name: PUBLISHED})
    assert found.records["split"].to_dict() == {
        **dict.fromkeys(LISTS["train"], "train"),
        **dict.fromkeys(LISTS["val"], "validation"),
        **dict.fromkeys(LISTS["test"], "test"),
    }
    assert found.excluded == {"no rhythm": 2, "in no split of s.json": 31}


def test_both_forms_are_the_same_split(index):
    assert index(LISTS).split_hash == index({"PTB-XL": PUBLISHED}).split_hash


def test_of_several_data_sets_the_named_one_is_taken(index):
    other = {name: ["x"] for name in PUBLISHED}
    found = index({"PTB-XL": other, "Small": PUBLISHED})
    assert len(found.records) == len(ALL)


def test_records_listed_in_no_split_are_left_out_and_counted(index):
    found = index({"small": {**PUBLISHED, "all": [*ALL, "r12"]}})
    assert "r12" not in found.records.index
    assert found.excluded["in no split of s.json"] == 31


WRONG = [
    (
        {"PTB-XL": PUBLISHED, "Chapman": PUBLISHED},
        r"several data sets \(PTB-XL, Chapman\); call the one that is meant 'small'",
    ),
    (
        {"PTB-XL": {**PUBLISHED, "train": ["HR00001", "r00"], "all": None}},
        r"1 record id\(s\) unknown to dataset 'small': HR00001; it has ids such as",
    ),
    (
        {"PTB-XL": {**PUBLISHED, "test": ["r00", "r10"]}},
        r"1 record id\(s\) in more than one split: r00",
    ),
    (
        {"PTB-XL": {**PUBLISHED, "all": ALL[2:]}},
        r'2 record id\(s\) not in its list "all": r00, r01',
    ),
    ({"PTB-XL": {"all": ALL}}, r"no list of ids for train and validation and test"),
    ({**LISTS, "validation": []}, r"both val and validation"),
    ({"PTB-XL": PUBLISHED, "seed": 3}, r"no list of ids for train"),
]


@pytest.mark.parametrize(("content", "message"), WRONG)
def test_what_is_wrong_with_a_published_file_is_said(index, content, message):
    with pytest.raises(ConfigError, match=message) as error:
        index(content)
    assert "s.json" in str(error.value)


def test_a_published_file_that_divides_patients_is_refused_by_their_names(index):
    divided = {**LISTS, "train": ["r00", "r02"], "val": ["r01", "r06"]}
    with pytest.raises(DataError, match=r"1 patient\(s\) .* more than one split: p0"):
        index({"PTB-XL": divided})


def test_multi_label_sets_take_files_too(index, written):
    dataset = SmallSet(SmallSet.Params(multi=True), written / "small")
    assert len(index({"PTB-XL": PUBLISHED}, dataset).records) == len(ALL)


def test_repeated_splits_are_rows_told_apart(cells):
    found = cells("grid.split.seed = [0, 1, 2]")
    assert [c.options.split.seed for c in found] == [0, 1, 2]
    assert len({c.id for c in found}) == 3
    assert [c.labels["dataset"] for c in found] == [
        f"synthetic (split.seed={seed})" for seed in (0, 1, 2)
    ]


def test_files_of_ids_can_be_swept(cells, tmp_path):
    for name, first in (("a.json", 0), ("b.json", 1)):
        (tmp_path / name).write_text(json.dumps({"train": [first]}))
    found = cells('grid.split.file = ["a.json", "b.json"]')
    assert len({c.id for c in found}) == 2
    assert len({c.split_hash for c in found}) == 2
    assert [c.labels["dataset"] for c in found] == [
        "synthetic (split.file=a.json)",
        "synthetic (split.file=b.json)",
    ]


def test_files_of_the_same_ids_are_one_cell_twice(cells, tmp_path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(LISTS))
    with pytest.raises(ConfigError, match="two entries describe the same cell"):
        cells('grid.split.file = ["a.json", "b.json"]')


@pytest.mark.parametrize("axis", ["seed = [0, 1, 2]", "label_ratio = [0.25, 0.5, 1.0]"])
def test_a_required_cell_is_on_its_dependents_split(suite, tmp_path, axis):
    path = suite(f"grid.split.{axis}", "needy")
    plan = make_plan(*read_suite(path), tmp_path / "runs")
    students = [p.cell for p in plan.cells if p.role == "suite"]
    assert len(plan.cells) == 6
    assert len({s.id for s in students}) == 3
    for student in students:
        teacher = student.requires["teacher"]
        assert teacher.options.split == student.options.split
        assert teacher.fingerprint == student.fingerprint
        assert teacher.labels["dataset"] == student.labels["dataset"]
    assert len({s.requires["teacher"].id for s in students}) == 3


def lists_of(path):
    """The ids of each split that a suite's data set has."""
    read, _ = read_suite(path)
    (entry,) = read.datasets
    records = open_data(entry.choice, entry.options, str(path.parent)).index.records
    return {name: list(rows.index) for name, rows in records.groupby("split")}


def test_a_required_cell_of_a_swept_file_is_on_its_dependents_file(suite, tmp_path):
    for seed in (0, 1):
        lists = lists_of(suite(f"split.seed = {seed}"))
        (tmp_path / f"{seed}.json").write_text(json.dumps({"Synthetic": lists}))
    path = suite('grid.split.file = ["0.json", "1.json"]', "needy")
    plan = make_plan(*read_suite(path), tmp_path / "runs")
    students = [p.cell for p in plan.cells if p.role == "suite"]
    assert [s.options.split.file for s in students] == ["0.json", "1.json"]
    assert len({p.cell.split_hash for p in plan.cells}) == 2
    for student in students:
        assert student.requires["teacher"].split_hash == student.split_hash


def test_a_label_ratio_is_identity_only_below_one(cells):
    (plain,) = cells("")
    (whole,) = cells("split.label_ratio = 1")
    (half,) = cells("split.label_ratio = 0.5")
    assert whole.id == plain.id
    assert half.identity["dataset"]["options"] == {"split": {"label_ratio": 0.5}}


def test_a_label_ratio_beside_a_file_is_identity_with_its_seed(cells, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(LISTS))
    file = 'split.file = "a.json"\n'
    (plain,) = cells(file)
    (seeded,) = cells(f"{file}split.seed = 1")
    (half,) = cells(f"{file}split.label_ratio = 0.5")
    (other,) = cells(f"{file}split.label_ratio = 0.5\nsplit.seed = 1")
    assert seeded.id == plain.id
    assert len({plain.id, half.id, other.id}) == 3
    assert other.identity["dataset"]["options"]["split"] == {
        "file": plain.split_hash,
        "label_ratio": 0.5,
        "seed": 1,
    }


@pytest.mark.parametrize("ratio", ["0", "1.5", "-0.1"])
def test_a_label_ratio_is_a_share(cells, ratio):
    with pytest.raises(ConfigError, match=r"split\.label_ratio"):
        cells(f"split.label_ratio = {ratio}")
