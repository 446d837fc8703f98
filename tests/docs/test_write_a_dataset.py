"""The pages' data set and model, in one suite."""

import csv

import numpy as np
import pytest
import wfdb
from desks import run_harness
from pages import DOCS, blocks_of, files_of, write_files

RECORDS, RATE, SECONDS = 24, 250, 12


def write_strips(folder):
    """Two records a patient: noise of a class' own frequency."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    time = np.arange(RATE * SECONDS) / RATE
    rows = []
    for i in range(RECORDS):
        rhythm = ("SR", "AF")[i // 2 % 2]
        wave = np.sin(2 * np.pi * (1 + i // 2 % 2) * time)
        signal = wave + 0.1 * rng.standard_normal(len(time))
        wfdb.wrsamp(
            f"s{i:03}", RATE, ["mV"], ["II"], signal[:, None], write_dir=str(folder)
        )
        rows.append((f"s{i:03}", f"p{i // 2:02}", rhythm))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("record", "patient", "rhythm"), *rows])


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    files = files_of(DOCS / "write-a-dataset.md") | files_of(DOCS / "write-a-model.md")
    (model,) = blocks_of(DOCS / "write-a-model.md", "toml")
    suite = files["strips.toml"]
    assert '[[model]]\nuse = "cnn1d"\n' in suite
    files["strips.toml"] = suite.replace('[[model]]\nuse = "cnn1d"\n', model)
    write_files(files, folder)
    write_strips(folder / "data" / "strips")
    return folder


def test_the_data_can_be_checked(desk):
    said = run_harness(desk, "data", "check", "strips", "--suite", "strips.toml")
    assert f"{RECORDS} used" in said
    assert "no bad records" in said


def test_the_model_is_trained_on_the_data(desk):
    run_harness(desk, "run", "strips.toml")
    page = (desk / "leaderboard" / "strips.md").read_text()
    assert "### strips · patchnet" in page
    assert "1 of 1 cells done" in page
