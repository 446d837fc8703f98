import csv
import json
import math
from collections import Counter

import numpy as np
import pytest
from commands_here import run
from pydantic import ValidationError
from scipy.io import savemat

from harness import DataError

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
COLUMNS = {
    "chapman-shaoxing": "Chapman_Shaoxing",
    "ningbo": "Ningbo",
    "g12ec": "Georgia",
    "ptb-xl": "PTB_XL",
}
SIZES = {"chapman-shaoxing": 16, "ningbo": 23, "g12ec": 18, "ptb-xl": 19}


@pytest.fixture(scope="module")
def cinc2021(plugin):
    return plugin("datasets/cinc2021/__init__.py", "CinC2021")


def header(path, *comments, rate=500, samples=9, signal="16x1+24 1000.0(0)/mV"):
    """A header of 12 equal leads with these comment lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.stem
    lines = [f"{name}.mat {signal} 16 0 1 {samples} 0 {lead}" for lead in LEADS]
    text = [f"{name} 12 {rate} {samples}", *lines, *comments]
    path.write_text("".join(f"{line}\n" for line in text))


def signal(path, samples=9):
    savemat(path, {"val": np.ones((12, samples), np.int16)}, format="4")


@pytest.fixture
def georgia(cinc2021, tmp_path):
    """A function that writes records with these diagnoses and lists them."""

    def write(*diagnoses, **params):
        for number, codes in enumerate(diagnoses, start=1):
            path = tmp_path / "training" / "georgia" / "g1" / f"E{number:05d}.hea"
            header(path, f"# Dx: {codes}")
        return cinc2021(cinc2021.Params(subset="g12ec", **params), root=tmp_path)

    return write


def labelled(dataset):
    records = dataset.records()
    return list(zip(records["labels"], records["excluded"], strict=True))


def test_both_header_styles_say_the_same(cinc2021, tmp_path):
    """As first distributed, and as in version 1.0.3."""
    folder = tmp_path / "training" / "ningbo"
    former = ("#Age: 86", "#Sex: Female", "#Dx: 164890007,39732003", "#Rx: Unknown")
    header(folder / "g1" / "JS1.hea", *former, signal="16+24 1000/mV")
    present = ("# Age: 86", "# Sex: Female", "# Dx: 164890007,39732003")
    header(folder / "g2" / "JS2.hea", *present)
    dataset = cinc2021(cinc2021.Params(subset="ningbo"), root=tmp_path)
    records = dataset.records()
    assert list(records.index) == ["JS1", "JS2"]
    assert list(records["patient"]) == ["JS1", "JS2"]
    assert list(records["labels"]) == [("AFL", "LAD")] * 2
    assert list(records["age"]) == [86.0, 86.0]
    assert list(records["sex"]) == [1.0, 1.0]
    assert records["files"]["JS2"] == (
        "training/ningbo/g2/JS2.mat",
        "training/ningbo/g2/JS2.hea",
    )
    for name, group in (("JS1", "g1"), ("JS2", "g2")):
        signal(folder / group / f"{name}.mat")
        read = dataset.read(records.loc[name])
        np.testing.assert_allclose(read, np.full((12, 9), 0.001), rtol=1e-6)


@pytest.mark.parametrize(
    ("subset", "folder"),
    [
        ("chapman-shaoxing", "WFDB_ChapmanShaoxing"),
        ("ningbo", "WFDB_Ningbo"),
        ("g12ec", "WFDB_Ga"),
        ("ptb-xl", "WFDB_PTBXL"),
        ("cpsc", "WFDB_CPSC2018"),
    ],
)
def test_folders_as_first_distributed_are_read(cinc2021, tmp_path, subset, folder):
    header(tmp_path / folder / "X1.hea", "#Dx: 426783006")
    dataset = cinc2021(cinc2021.Params(subset=subset), root=tmp_path)
    assert dataset.records()["files"]["X1"][0] == f"{folder}/X1.mat"


def test_the_order_is_of_the_ids_not_of_the_groups(cinc2021, tmp_path):
    for group, name in (("g1", "E3"), ("g2", "E1"), ("g10", "E2")):
        header(tmp_path / "training" / "georgia" / group / f"{name}.hea")
    dataset = cinc2021(cinc2021.Params(subset="g12ec"), root=tmp_path)
    assert list(dataset.records().index) == ["E1", "E2", "E3"]


@pytest.mark.parametrize(
    ("codes", "merged", "apart"),
    [
        ("733534002", ("CLBBB/LBBB",), ("CLBBB",)),
        ("164909002", ("CLBBB/LBBB",), ("LBBB",)),
        ("713427006, 59118001", ("CRBBB/RBBB",), ("CRBBB", "RBBB")),
        ("63593006,284470004", ("PAC/SVPB",), ("PAC", "SVPB")),
        ("17338001", ("PVC/VPB",), ("VPB",)),
        ("427172004", ("PVC/VPB",), ("PVC",)),
        ("713426002,59118001", ("CRBBB/RBBB", "IRBBB"), ("IRBBB", "RBBB")),
    ],
)
def test_equivalent_codes(georgia, codes, merged, apart):
    """Notes of dx_mapping_scored.csv: scored as the same diagnosis."""
    assert labelled(georgia(codes)) == [(merged, "")]
    assert labelled(georgia(codes, merge_equivalent=False)) == [(apart, "")]


def test_a_subsets_class_counts_its_equivalent_only_if_merged(georgia):
    """LBBB is a class of G12EC's own set, CLBBB is none."""
    assert labelled(georgia("733534002", labels="subset")) == [(("CLBBB/LBBB",), "")]
    apart = georgia("733534002", labels="subset", merge_equivalent=False)
    assert labelled(apart) == [((), "")]


def test_tiers(georgia):
    """dbpd-and-distillation B2: all-zero records are kept."""
    dataset = georgia(
        "164867002,59931005", "428750005", "365413008", "426783006", labels="tiers"
    )
    assert tuple(dataset.classes) == ("tier1", "tier2", "tier3")
    expected = [("tier1", "tier3"), ("tier2",), ("tier3",), ()]
    assert labelled(dataset) == [(labels, "") for labels in expected]


@pytest.mark.parametrize(("subset", "size"), [*SIZES.items(), ("cpsc", 9)])
@pytest.mark.parametrize("merge", [True, False])
def test_sizes_of_the_subsets_own_sets(cinc2021, subset, size, merge):
    """lottery-search-fusion 3.1: 16, 23, 18 and 19 classes; CPSC 2018 has nine."""
    params = cinc2021.Params(subset=subset, labels="subset", merge_equivalent=merge)
    assert len(set(cinc2021(params).classes)) == size


def test_cpsc_has_ectopics_and_st_shifts(cinc2021, tmp_path):
    folder = tmp_path / "training" / "cpsc_2018" / "g1"
    header(folder / "A0001.hea", "#Dx: 164884008,429622005,164931005")
    params = cinc2021.Params(subset="cpsc", labels="subset")
    labels = cinc2021(params, root=tmp_path).records()["labels"]["A0001"]
    assert labels == ("VEB", "STD", "STE")


def test_records_without_a_label_are_kept_or_counted(georgia):
    codes = ("426783006", "164873001", "Unknown", "")
    none = ((), "no diagnosis in the header")
    kept = georgia(*codes)
    assert labelled(kept) == [(("NSR",), ""), ((), ""), none, none]
    assert "kept as negative" in kept.label_rule
    excluded = georgia(*codes, unlabelled="exclude")
    assert labelled(excluded)[1] == ((), "no diagnosis of the label set")
    assert "left out" in excluded.label_rule


def test_a_header_without_comments_is_left_out(cinc2021, tmp_path):
    folder = tmp_path / "training" / "georgia" / "g1"
    header(folder / "E1.hea")
    (folder / "E2.hea").write_text("")
    dataset = cinc2021(cinc2021.Params(subset="g12ec"), root=tmp_path)
    assert set(dataset.records()["excluded"]) == {"no diagnosis in the header"}


@pytest.mark.parametrize(
    ("comments", "age", "sex"),
    [
        (("# Age: 65", "# Sex: Male"), 65.0, 0.0),
        (("#Age: 65", "#Sex: M"), 65.0, 0.0),
        (("#Age:  0.5", "#Sex: female"), 0.5, 1.0),
        (("#Age: 104", "#Sex: F"), 104.0, 1.0),
        (("#Age: NaN", "#Sex: Unknown"), math.nan, math.nan),
        (("#Age: -1", "#Sex: NaN"), math.nan, math.nan),
        (("#Age: 300", "#Sex:"), math.nan, math.nan),
        ((), math.nan, math.nan),
    ],
)
def test_ages_and_sexes(cinc2021, tmp_path, comments, age, sex):
    folder = tmp_path / "training" / "georgia" / "g1"
    header(folder / "E1.hea", *comments, "#Dx: 426783006")
    records = cinc2021(cinc2021.Params(subset="g12ec"), root=tmp_path).records()
    np.testing.assert_equal(records.loc["E1", ["age", "sex"]].to_list(), [age, sex])


@pytest.mark.parametrize(
    ("comments", "message"),
    [
        (("# Dx: NSR",), r"E1.hea, line 14: the diagnosis 'NSR' is no SNOMED code"),
        (("# Dx: 426783006,",), r"line 14: the diagnosis '' is no SNOMED code"),
        (("# Dx: 426783006 39732003",), r"the diagnosis '426783006 39732003'"),
        (("#Dx: 426783006", "# Dx: 426783006"), r"line 15: a second comment Dx"),
    ],
)
def test_a_malformed_header_is_named(cinc2021, tmp_path, comments, message):
    header(tmp_path / "training" / "georgia" / "g1" / "E1.hea", *comments)
    with pytest.raises(DataError, match=message):
        cinc2021(cinc2021.Params(subset="g12ec"), root=tmp_path).records()


def test_a_missing_subset_says_which_folders_hold_it(cinc2021, georgia):
    dataset = georgia("426783006")
    assert len(dataset.records()) == 1
    with pytest.raises(DataError, match=r"no folder training/chapman_shaoxing or WFDB"):
        cinc2021(root=dataset.root).records()


def test_a_folder_without_headers_is_refused(cinc2021, tmp_path):
    (tmp_path / "training" / "georgia" / "g1").mkdir(parents=True)
    with pytest.raises(DataError, match=r"georgia: no headers"):
        cinc2021(cinc2021.Params(subset="g12ec"), root=tmp_path).records()


def test_a_folder_named_like_a_header_is_refused(georgia, tmp_path):
    (tmp_path / "training" / "georgia" / "g1" / "E2.hea").mkdir(parents=True)
    with pytest.raises(DataError, match=r"E2.hea: can't be read"):
        georgia("426783006").records()


def test_bad_records_are_listed_and_refused_when_read(cinc2021, tmp_path):
    folder = tmp_path / "training" / "georgia" / "g1"
    header(folder / "E1.hea", "#Dx: 426783006")
    header(folder / "E2.hea", "#Dx: 426783006", rate=257)
    signal(folder / "E2.mat")
    dataset = cinc2021(cinc2021.Params(subset="g12ec"), root=tmp_path)
    records = dataset.records()
    with pytest.raises(DataError, match=r"no file E1.mat"):
        dataset.read(records.loc["E1"])
    with pytest.raises(DataError, match=r"257 Hz, expected 500 Hz"):
        dataset.read(records.loc["E2"])


def test_a_label_set_of_a_subset_needs_one(cinc2021):
    with pytest.raises(ValidationError, match='needs one subset, such as subset = "g1'):
        cinc2021.Params(labels="subset")


def test_the_rule_says_what_is_unknown_of_patients(cinc2021):
    for subset in ("ptb-xl", "all"):
        rule = cinc2021(cinc2021.Params(subset=subset)).label_rule
        assert "patients of PTB-XL unknown" in rule
    rule = cinc2021(cinc2021.Params(subset="cpsc")).label_rule
    assert rule.startswith("26 scored diagnoses, equivalent ones merged")


def mapping(folder, name):
    with (folder / name).open(newline="") as file:
        return {row["Abbreviation"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def scored(real_data):
    return mapping(real_data / "cinc2021", "dx_mapping_scored.csv")


def codes_of(cinc2021, tmp_path, rows, **params):
    """The labels of one record that has these rows' codes, all of them."""
    codes = ",".join(row["SNOMEDCTCode"] for row in rows)
    header(tmp_path / "WFDB_Ga" / "E1.hea", f"#Dx: {codes}")
    dataset = cinc2021(cinc2021.Params(subset="g12ec", **params), root=tmp_path)
    return dataset.records()["labels"]["E1"]


@pytest.mark.real_data
def test_the_scored_diagnoses_are_the_challenges(cinc2021, scored, tmp_path):
    """Each abbreviation of dx_mapping_scored.csv is the class of its code, in order."""
    dataset = cinc2021(cinc2021.Params(merge_equivalent=False))
    assert list(dataset.classes) == list(scored)
    for name, row in scored.items():
        found = codes_of(cinc2021, tmp_path, [row], merge_equivalent=False)
        assert found == (name,)


@pytest.mark.real_data
def test_merged_classes_are_those_of_the_weights(cinc2021, scored, real_data):
    """The columns of weights.csv, in which equivalent codes are joined by |."""
    with (real_data / "cinc2021" / "weights.csv").open() as file:
        columns = file.readline().strip().split(",")[1:]
    merged = [name.split("/") for name in cinc2021().classes]
    codes = ["|".join(scored[n]["SNOMEDCTCode"] for n in names) for names in merged]
    assert len(columns) == 26
    assert set(codes) == set(columns)


@pytest.mark.real_data
@pytest.mark.parametrize("subset", SIZES)
def test_a_subsets_own_set_has_more_than_200_records_each(cinc2021, scored, subset):
    """lottery-search-fusion 3.1: counts by the columns of the mapping table."""
    params = cinc2021.Params(subset=subset, labels="subset", merge_equivalent=False)
    column = COLUMNS[subset]
    frequent = {name for name, row in scored.items() if int(row[column]) > 200}
    assert set(cinc2021(params).classes) == frequent


@pytest.mark.real_data
def test_cpsc_has_nine_diagnoses_in_all(cinc2021, scored, real_data):
    unscored = mapping(real_data / "cinc2021", "dx_mapping_unscored.csv")
    rows = (scored | unscored).items()
    params = cinc2021.Params(subset="cpsc", labels="subset", merge_equivalent=False)
    occurring = {name for name, row in rows if int(row["CPSC"]) > 0}
    assert set(cinc2021(params).classes) == occurring


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("subset", "records"),
    [
        ("g12ec", 48),
        ("ningbo", 45),
        ("ptb-xl", 22),
        ("chapman-shaoxing", 10),
        ("cpsc", 3),
        ("all", 128),
    ],
)
def test_the_real_records(cinc2021, real_data, subset, records):
    dataset = cinc2021(cinc2021.Params(subset=subset), root=real_data / "cinc2021")
    found = dataset.records()
    assert len(found) == records
    assert set(found["excluded"]) == {""}
    assert not found[["age", "sex"]].isna().any(axis=None)
    signal = dataset.read(found.iloc[0])
    assert signal.shape[0] == 12
    assert 0.02 < signal.std() < 2
    np.testing.assert_allclose(signal[0] + signal[2], signal[1], atol=0.02)


@pytest.mark.real_data
def test_the_real_label_counts(cinc2021, real_data):
    params = cinc2021.Params(merge_equivalent=False)
    records = cinc2021(params, root=real_data / "cinc2021").records()
    counts = Counter(label for labels in records["labels"] for label in labels)
    frequent = {"NSR": 43, "SB": 28, "STach": 25, "PAC": 23, "TAb": 17, "NSIVCB": 10}
    assert frequent.items() <= counts.items()
    assert (counts["AFL"], counts["AF"]) == (7, 6)


SUITE = """
[budget]
epochs = 1
batch_size = 32

[[dataset]]
use = "cinc2021"
sampling_rate = 100
seconds = 10
side = ["age", "sex"]
on_bad_record = "skip"

[[model]]
use = "cnn1d"
width = 4

[[strategy]]
use = "baseline"
"""


@pytest.mark.real_data
def test_an_epoch_of_training_on_real_records(tmp_path, real_data, monkeypatch):
    """Two of the real records are bad: three of their leads are flat."""
    monkeypatch.setenv("HARNESS_DATA", str(real_data))
    (tmp_path / "suite.toml").write_text(SUITE)
    check = ("data", "check", "cinc2021", "--suite", "suite.toml")
    checked = run(*check, cwd=tmp_path, expect=1)
    assert "128 used" in checked
    assert "2 bad records" in checked
    assert checked.count("flat: leads V2, V4, V6") == 2
    run("run", "suite.toml", "--device", "cpu", cwd=tmp_path)
    (path,) = tmp_path.rglob("result.json")
    result = json.loads(path.read_text())
    assert result["cost"]["audit"]["status"] == "passed"
    assert "PAC/SVPB" in json.dumps(result["metrics"]["test"])
