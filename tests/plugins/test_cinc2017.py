from collections import Counter

import numpy as np
import pytest
from scipy.io import savemat

from harness import DataError


@pytest.fixture(scope="module")
def cinc2017(plugin):
    return plugin("datasets/cinc2017.py", "CinC2017")


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def test_labels_and_files_come_from_the_reference(cinc2017, tmp_path):
    write(tmp_path / "training2017" / "REFERENCE.csv", "A00001,N", "A00004,~")
    records = cinc2017(root=tmp_path).records()
    assert list(records.index) == ["A00001", "A00004"]
    assert list(records["labels"]) == [("N",), ("~",)]
    assert list(records["patient"]) == ["A00001", "A00004"]
    assert records["files"].iloc[0][0] == "training2017/A00001.mat"


def test_the_revised_labels_win_wherever_they_lie(cinc2017, tmp_path):
    write(tmp_path / "training2017" / "REFERENCE.csv", "A00001,N")
    write(tmp_path / "REFERENCE-v3.csv", "A00001,O")
    dataset = cinc2017(root=tmp_path)
    assert dataset.records()["labels"].iloc[0] == ("O",)
    assert "REFERENCE-v3.csv" in dataset.label_rule


def test_a_folder_without_subfolder_is_read(cinc2017, tmp_path):
    savemat(tmp_path / "A00001.mat", {"val": np.ones((1, 9), np.int16)}, format="4")
    header = "A00001.mat 16+24 1000/mV 16 0 1 9 0 ECG"
    write(tmp_path / "A00001.hea", "A00001 1 300 9", header)
    write(tmp_path / "REFERENCE.csv", "A00001,A")
    dataset = cinc2017(root=tmp_path)
    signal = dataset.read(dataset.records().iloc[0])
    np.testing.assert_allclose(signal, np.full((1, 9), 0.001), rtol=1e-6)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A00002", "line 2: 'A00002' is not a record id and one of N, A, O, ~"),
        ("A00002,AF", "line 2: 'A00002,AF'"),
        ("A00002,N,1", "line 2: 'A00002,N,1'"),
        ("A00001,N", "line 2: A00001 is listed twice"),
    ],
)
def test_a_malformed_line_is_named(cinc2017, tmp_path, line, message):
    write(tmp_path / "REFERENCE.csv", "A00001,N", line)
    with pytest.raises(DataError, match=message):
        cinc2017(root=tmp_path).records()


def test_a_missing_reference_says_what_was_looked_for(cinc2017, tmp_path):
    with pytest.raises(DataError, match=r"no REFERENCE-v3.csv or REFERENCE.csv"):
        cinc2017(root=tmp_path).records()


@pytest.mark.real_data
def test_the_real_class_counts(cinc2017, real_data):
    dataset = cinc2017(root=real_data / "cinc2017")
    records = dataset.records()
    counts = Counter(label for (label,) in records["labels"])
    assert counts == {"N": 2381, "O": 1133, "A": 355, "~": 131}
    signal = dataset.read(records.loc["A00001"])
    assert signal.shape == (1, 9000)
    assert 0.05 < signal.std() < 1
