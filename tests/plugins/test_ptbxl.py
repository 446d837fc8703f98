import csv
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from harness import DataError

COLUMNS = (
    "ecg_id",
    "patient_id",
    "age",
    "sex",
    "scp_codes",
    "strat_fold",
    "filename_lr",
    "filename_hr",
)
STATEMENTS = """,diagnostic,diagnostic_class,diagnostic_subclass
NDT,1.0,STTC,STTC
NORM,1.0,NORM,NORM
IMI,1.0,MI,IMI
ASMI,1.0,MI,AMI
LVH,1.0,HYP,LVH
CLBBB,1.0,CD,CLBBB
SR,,,
"""


@pytest.fixture(scope="module")
def ptbxl(plugin):
    return plugin("datasets/ptbxl/__init__.py", "PTBXL")


@pytest.fixture
def database(tmp_path):
    """A function that writes a data base of records with these statements."""

    def write(*statements, **columns):
        (tmp_path / "scp_statements.csv").write_text(STATEMENTS)
        with (tmp_path / "ptbxl_database.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for number, codes in enumerate(statements, start=1):
                row = {
                    "ecg_id": number,
                    "patient_id": "15709.0",
                    "age": "56.0",
                    "sex": "1",
                    "scp_codes": codes,
                    "strat_fold": "3",
                    "filename_lr": f"records100/00000/{number:05d}_lr",
                    "filename_hr": f"records500/00000/{number:05d}_hr",
                }
                writer.writerow(row | columns)
        return tmp_path

    return write


def labelled(dataset):
    records = dataset.records()
    return list(zip(records["labels"], records["excluded"], strict=True))


NONE = ((), "no diagnostic superclass")
SEVERAL = ((), "several diagnostic superclasses")


@pytest.mark.parametrize(
    ("codes", "priority", "likelihood", "exactly_one"),
    [
        ("{'NORM': 100.0, 'SR': 0.0}", "NORM", "NORM", "NORM"),
        ("{'NORM': 80.0, 'IMI': 15.0}", "MI", "NORM", SEVERAL),
        ("{'LVH': 0.0, 'CLBBB': 0.0}", "CD", "HYP", SEVERAL),
        ("{'NDT': 50.0, 'CLBBB': 50.0, 'LVH': 100.0}", "STTC", "HYP", SEVERAL),
        ("{'IMI': 0.0, 'ASMI': 35.0}", "MI", "MI", "MI"),
        ("{'IMI': 0.0}", "MI", "MI", "MI"),
        ("{'SR': 0.0}", NONE, NONE, NONE),
        ("{}", NONE, NONE, NONE),
    ],
)
def test_one_superclass_by_rule(
    ptbxl, database, codes, priority, likelihood, exactly_one
):
    root = database(codes)
    rules = ("priority", "max-likelihood", "exactly-one")
    for rule, expected in zip(rules, (priority, likelihood, exactly_one), strict=True):
        found = labelled(ptbxl(ptbxl.Params(rule=rule), root=root))
        assert found == [((expected,), "") if isinstance(expected, str) else expected]


@pytest.mark.parametrize(
    ("labels", "classes", "found"),
    [
        ("multi-superclass", ("NORM", "MI", "STTC", "CD", "HYP"), ("MI", "HYP")),
        ("subclass", ("STTC", "NORM", "IMI", "AMI", "LVH", "CLBBB"), ("AMI", "LVH")),
        ("diagnostic", ("NDT", "NORM", "IMI", "ASMI", "LVH", "CLBBB"), ("ASMI", "LVH")),
        (
            "all",
            ("NDT", "NORM", "IMI", "ASMI", "LVH", "CLBBB", "SR"),
            ("ASMI", "LVH", "SR"),
        ),
    ],
)
def test_multi_label_sets(ptbxl, database, labels, classes, found):
    root = database("{'SR': 0.0, 'LVH': 100.0, 'ASMI': 0.0}", "{'SR': 0.0}")
    dataset = ptbxl(ptbxl.Params(labels=labels), root=root)
    assert dataset.task == "multi-label"
    assert tuple(dataset.classes) == classes
    without = (("SR",), "") if labels == "all" else NONE
    assert labelled(dataset) == [(found, ""), without]


def test_a_rule_needs_single_labels(ptbxl):
    with pytest.raises(ValidationError, match="it needs labels"):
        ptbxl.Params(labels="all", rule="exactly-one")


@pytest.mark.parametrize(
    ("published", "years"), [("56.0", 56), ("300", 90), ("300.0", 90), ("91.0", 91)]
)
def test_ages_of_all_versions(ptbxl, database, published, years):
    root = database("{'NORM': 100.0}", age=published)
    assert ptbxl(root=root).records()["age"].iloc[0] == years


def test_unknown_age_and_sex_are_nan(ptbxl, database):
    records = ptbxl(root=database("{'NORM': 100.0}", age="", sex="")).records()
    assert records[["age", "sex"]].isna().all(axis=None)


@pytest.mark.parametrize("patient", ["15709.0", "15709"])
def test_patients_of_all_versions(ptbxl, database, patient):
    records = ptbxl(root=database("{'NORM': 1.0}", patient_id=patient)).records()
    assert records["patient"].iloc[0] == "15709"


def test_records_without_a_500_hz_file_are_left_out(ptbxl, database):
    root = database("{'NORM': 1.0}", "{'NORM': 1.0}")
    folder = root / "records500" / "00000"
    folder.mkdir(parents=True)
    (folder / "00002_hr.dat").touch()
    dataset = ptbxl(ptbxl.Params(records=500), root=root)
    assert labelled(dataset) == [(("NORM",), "no 500 Hz file"), (("NORM",), "")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"strat_fold": "three"}, "line 2, column strat_fold: 'three' found, a number"),
        ({"patient_id": ""}, "line 2, column patient_id: '' found, a whole number"),
        ({"age": "old"}, "line 2, column age: 'old' found, a number"),
        ({"scp_codes": "NORM"}, "line 2, column scp_codes: 'NORM' found, a dictionary"),
        ({"scp_codes": "{'X': 1.0}"}, "statements that scp_statements.csv lists"),
        ({"ecg_id": ""}, "line 2, column ecg_id: '' found"),
    ],
)
def test_a_malformed_value_is_named(ptbxl, database, columns, message):
    with pytest.raises(DataError, match=message):
        ptbxl(root=database("{'NORM': 1.0}", **columns)).records()


def test_a_record_listed_twice_is_named(ptbxl, database):
    root = database("{'NORM': 1.0}", "{'NORM': 1.0}", ecg_id="7")
    with pytest.raises(DataError, match="line 3, column ecg_id: '7' found"):
        ptbxl(root=root).records()


@pytest.mark.parametrize("text", ["ecg_id,age\n1,2\n", ",".join(COLUMNS) + "\n1,2\n"])
def test_missing_columns_and_fields_are_named(ptbxl, database, text):
    root = database()
    (root / "ptbxl_database.csv").write_text(text)
    with pytest.raises(DataError, match=r"ptbxl_database.csv, line [12]: "):
        ptbxl(root=root).records()


def test_a_missing_file_is_named(ptbxl, tmp_path):
    with pytest.raises(DataError, match=r"ptbxl_database.csv: can't be read"):
        ptbxl(root=tmp_path).records()


@pytest.mark.real_data
def test_the_real_label_counts(ptbxl, real_data):
    records = ptbxl(
        ptbxl.Params(labels="multi-superclass"), root=real_data / "ptbxl"
    ).records()
    counts = Counter(label for labels in records["labels"] for label in labels)
    assert counts == {"NORM": 891, "MI": 317, "STTC": 388, "CD": 347, "HYP": 185}
    assert Counter(records["excluded"]) == {"": 1664, "no diagnostic superclass": 17}
    assert records["patient"].nunique() == 1560
    assert list(records["fold"].value_counts().sort_index()) == [
        *(179, 150, 150, 164, 175, 132, 165, 145, 205, 216)
    ]


@pytest.mark.real_data
def test_the_real_statements(ptbxl, real_data):
    sizes = {"subclass": 23, "diagnostic": 44, "all": 71}
    for labels, size in sizes.items():
        dataset = ptbxl(ptbxl.Params(labels=labels), root=real_data / "ptbxl")
        assert len(dataset.classes) == size


@pytest.mark.real_data
@pytest.mark.parametrize(("rate", "kept"), [(100, 1664), (500, 150)])
def test_real_signals_at_both_rates(ptbxl, real_data, rate, kept):
    dataset = ptbxl(ptbxl.Params(records=rate), root=real_data / "ptbxl")
    records = dataset.records()
    missing = records["excluded"] == "no 500 Hz file"
    assert missing.any() == (rate == 500)
    assert abs((records["excluded"] == "").sum() - kept) <= 17
    signal = dataset.read(records[~missing].iloc[0])
    assert signal.shape == (12, 10 * rate)
    np.testing.assert_allclose(signal[0] + signal[2], signal[1], atol=0.004)
