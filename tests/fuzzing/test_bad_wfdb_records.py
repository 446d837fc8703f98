"""A damaged recording is read as it was, or refused; never as something else.

What no reader can see is left out of the promise: a header whose gain or unit was
changed to another sensible one, with the signal untouched.
"""

import os
import re
import shutil

import numpy as np
import pytest
import wfdb
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import SECONDS, fuzzed, mutated_bytes, mutated_lines, outcome
from scipy.io import savemat

from harness import DataError, read_wfdb

pytestmark = pytest.mark.timeout(SECONDS, method="thread")

LEADS = ["I", "II", "V1"]
COUNTS = np.random.default_rng(0).integers(-900, 900, (3, 200)).astype(np.int16)
COUNTS[:, 0] = [101, -202, 303]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A record in a .dat file and one in a MATLAB 4 file, in other folders each."""
    root = tmp_path_factory.mktemp("wfdb")
    (root / "dat").mkdir()
    wfdb.wrsamp(
        "r1",
        fs=100,
        units=["mV"] * 3,
        sig_name=LEADS,
        d_signal=COUNTS.T,
        fmt=["16"] * 3,
        adc_gain=[1000.0] * 3,
        baseline=[0] * 3,
        write_dir=str(root / "dat"),
    )
    (root / "mat").mkdir()
    savemat(root / "mat" / "r1.mat", {"val": COUNTS[:1]}, format="4")
    total = (int(COUNTS[0].sum()) + (1 << 15)) % (1 << 16) - (1 << 15)
    line = f"r1.mat 16+24 1000/mV 16 0 {COUNTS[0, 0]} {total} 0 I"
    (root / "mat" / "r1.hea").write_text(f"r1 1 100 200\n{line}\n")
    return root


def assert_is_not_another(signal, counts):
    """The rows are those of the recording: how large and where zero is may have
    changed in the header, names may have changed places there, and nobody can tell.
    """
    assert signal.shape == counts.shape
    assert signal.dtype == np.float32
    for row in signal:
        if not np.isfinite(row).all() or np.ptp(row) < 1e-3 * np.abs(row).max():
            continue
        alike = [np.corrcoef(row, lead)[0, 1] for lead in counts]
        assert max(alike) > 0.9999


@pytest.mark.parametrize(("kind", "leads"), [("dat", LEADS), ("mat", ["I"])])
def test_a_damaged_header_never_gives_another_signal(folder, tmp_path, kind, leads):
    shutil.copytree(folder / kind, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "r1"
    text = path.with_suffix(".hea").read_text()

    @fuzzed(120)
    @given(mutated_lines(text) | mutated_bytes(text.encode()))
    # Fewer samples than there are, which wfdb believes.
    @example(text.replace(" 200\n", " 150\n").encode())
    @example(text.replace(" 200\n", " 999999999999\n").encode())
    @example(text.replace("1000", "-1000").encode())
    @example(text.replace("1000.0(0)/mV", "").replace("1000/mV", "").encode())
    @example(text.replace("r1 ", "r1/2 ").encode())
    @example(text.replace(" 16", " 16:999999999", 1).encode())
    @example(text.replace(" 16", " 16x4000", 1).encode())
    @example(text.replace("r1.", "../r1.").encode())
    @example(re.sub(r"^r1 \d+", "r1 999999999", text).encode())
    @example(b"\n" * 10 + b"#" * 2_000_000)
    def run(damaged):
        path.with_suffix(".hea").write_bytes(damaged)
        signal, message = outcome(DataError, read_wfdb, path, leads, 100)
        if signal is None:
            assert str(tmp_path) in message
        else:
            assert_is_not_another(signal, COUNTS[: len(leads)])

    run()


@pytest.mark.parametrize(
    ("kind", "suffix", "leads"), [("dat", ".dat", LEADS), ("mat", ".mat", ["I"])]
)
def test_a_damaged_signal_is_noticed(folder, tmp_path, kind, suffix, leads):
    shutil.copytree(folder / kind, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "r1"
    raw = path.with_suffix(suffix).read_bytes()
    whole = read_wfdb(path, leads)

    @fuzzed(120)
    @given(mutated_bytes(raw, up_to=1))
    @example(raw[:-2])
    @example(raw + b"\0\0")
    @example(b"")
    def run(damaged):
        path.with_suffix(suffix).write_bytes(damaged)
        signal, _ = outcome(DataError, read_wfdb, path, leads, 100)
        assert signal is None or np.array_equal(signal, whole)

    run()


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_sign_of_micro_is_no_volt(folder, tmp_path, encoding):
    shutil.copytree(folder / "dat", tmp_path, dirs_exist_ok=True)
    header = tmp_path / "r1.hea"
    header.write_bytes(header.read_text().replace("mV", "µV").encode(encoding))
    signal = read_wfdb(tmp_path / "r1", LEADS)
    np.testing.assert_allclose(signal, COUNTS * 1e-6, rtol=1e-6)


@fuzzed(100)
@given(st.lists(st.sampled_from(["I", "i", "II", "V1", "V2", "", "I "]), max_size=4))
def test_leads_are_those_of_their_names(folder, names):
    path = folder / "dat" / "r1"
    header = wfdb.rdheader(str(path))
    rows = [LEADS.index(n.upper()) if n.upper() in LEADS else None for n in names]
    if None in rows or not rows:
        if rows:
            with pytest.raises(DataError):
                read_wfdb(path, names)
        return
    assert header.n_sig == 3
    np.testing.assert_allclose(read_wfdb(path, names), COUNTS[rows] / 1000, atol=1e-6)


@pytest.mark.parametrize("twin", ["I", "i"])
def test_a_lead_that_is_there_twice_is_refused(folder, tmp_path, twin):
    shutil.copytree(folder / "dat", tmp_path, dirs_exist_ok=True)
    header = tmp_path / "r1.hea"
    header.write_text(header.read_text().replace(" V1", f" {twin}"))
    with pytest.raises(DataError, match="lead I is there more than once"):
        read_wfdb(tmp_path / "r1", ["I"])


def test_a_header_that_names_another_records_file_is_refused(folder, tmp_path):
    shutil.copytree(folder / "dat", tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "r1.dat", tmp_path / "r2.dat")
    header = tmp_path / "r1.hea"
    header.write_text(header.read_text().replace("r1.dat", "r2.dat"))
    with pytest.raises(DataError, match=r"the signal file r2.dat is another record's"):
        read_wfdb(tmp_path / "r1", ["I"])


@pytest.mark.parametrize("suffix", [".hea", ".dat"])
def test_a_pipe_in_the_place_of_a_file_does_not_hang(folder, tmp_path, suffix):
    shutil.copytree(folder / "dat", tmp_path, dirs_exist_ok=True)
    (tmp_path / f"r1{suffix}").unlink()
    os.mkfifo(tmp_path / f"r1{suffix}")
    with pytest.raises(DataError):
        read_wfdb(tmp_path / "r1", ["I"])


@pytest.mark.parametrize(
    ("record", "suffix", "leads", "rate"),
    [
        ("ptbxl/records100/00000/00001_lr", ".hea", ["I", "V6"], 100),
        ("ptbxl/records100/00000/00001_lr", ".dat", ["I", "V6"], 100),
        ("cinc2017/training2017/A00001", ".hea", ["ECG"], 300),
        ("cinc2017/training2017/A00001", ".mat", ["ECG"], 300),
    ],
)
def test_a_damaged_real_record_is_read_as_it_was_or_refused(
    real_data, tmp_path, record, suffix, leads, rate
):
    original = read_wfdb(real_data / record, leads, rate)
    for file in (real_data / record).parent.glob(f"{(real_data / record).name}.*"):
        shutil.copy(file, tmp_path)
    (file,) = tmp_path.glob(f"*{suffix}")
    raw = file.read_bytes()

    @fuzzed(40)
    @given(mutated_bytes(raw, up_to=1))
    def run(damaged):
        file.write_bytes(damaged)
        path = file.with_suffix("")
        signal, _ = outcome(DataError, read_wfdb, path, leads, rate)
        if signal is None:
            return
        assert signal.shape == original.shape
        if suffix != ".hea" and sorted(damaged) != sorted(raw):
            assert np.array_equal(signal, original)

    run()
