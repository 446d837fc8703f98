import subprocess
import sys

import pytest

SUITE = """
[[dataset]]
use = "synthetic"
label = "limb"
records = 60
duration = 2.0
seed = 5
leads = ["II", "I"]
root = "recordings"

[[strategy]]
use = "majority"
"""


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "suite.toml"
    path.write_text(SUITE)
    return path


def test_prepare_names_the_file(harness, suite, shared_cache):
    ended = harness("data", "prepare", suite)

    assert ended.code == 0
    (row,) = [line for line in ended.out.splitlines() if line.startswith("limb")]
    label, records, bad, path = row.split()
    assert (label, records, bad) == ("limb", "60", "0")
    assert path.startswith(str(shared_cache / "prepared"))


LOADED = """
import sys
from harness.cli.main import main

try:
    main()
finally:
    sys.stderr.write(f"torch {'torch' in sys.modules}")
"""


def test_torch_is_not_needed_to_prepare(suite):
    command = [sys.executable, "-c", LOADED, "data", "prepare", str(suite)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.endswith("torch False")


def test_prepare_tells_what_is_missing(harness, suite):
    suite.write_text(SUITE + '[[dataset]]\nuse = "ptbxl"\n')

    ended = harness("data", "prepare", suite)

    assert ended.code == 2
    assert "limb" in ended.out
    assert "HARNESS_DATA" in ended.err


def test_check_counts_and_finds_bad_records(harness, suite, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    good = harness("data", "check", "limb", "--suite", suite)
    assert good.code == 0
    for word in ("train", "validation", "test", "HYP", "fingerprint", "no bad records"):
        assert word in good.out

    broken = sorted((tmp_path / "recordings").rglob("*.dat"))[0]
    broken.write_bytes(broken.read_bytes()[:100])
    for file in (tmp_path / "cache" / "prepared").iterdir():
        file.unlink()
    bad = harness("data", "check", "limb", "--suite", suite)
    assert bad.code == 1
    assert "1 bad records" in bad.out
    assert broken.stem in bad.out

    ended = harness("run", suite)
    assert ended.code == 2
    assert "1 bad record(s)" in ended.err
    assert 'on_bad_record = "skip"' in ended.err


def test_a_record_is_drawn(harness, suite, tmp_path):
    ended = harness("data", "show", "limb", "--suite", suite)

    assert ended.code == 0
    (image,) = tmp_path.glob("limb-*.png")
    assert image.read_bytes().startswith(b"\x89PNG")
    assert image.name in ended.out

    chosen = tmp_path / "folder" / "ecg.png"
    harness("data", "show", "synthetic", "00007", "--suite", suite, "--out", chosen)
    assert chosen.is_file()


def test_an_unknown_record_or_data_set_is_told(harness, suite):
    ended = harness("data", "show", "limb", "0000x", "--suite", suite)
    assert ended.code == 2
    assert "none of the 60 used; did you mean '000" in ended.err

    assert (
        "did you mean 'limb'?" in harness("data", "check", "lim", "--suite", suite).err
    )
    assert "did you mean 'synthetic'?" in harness("data", "check", "synthetc").err


def test_a_root_that_is_not_there_is_told(harness, tmp_path):
    ended = harness("data", "check", "ptbxl", "--root", "nowhere")

    assert ended.code == 2
    assert f"no folder {tmp_path / 'nowhere'}" in ended.err
