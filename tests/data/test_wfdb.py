import numpy as np
import pytest
import wfdb
from scipy.io import savemat

from harness import DataError, read_wfdb

SIGNAL = np.array([[1000, -500, 250, 0], [10, 20, 30, -40]], dtype=np.int16)


@pytest.fixture
def record(tmp_path):
    """A function that writes a record of two leads and gives its path."""

    def write(units="mV", leads=("AVR", "v1")):
        wfdb.wrsamp(
            "r1",
            fs=100,
            units=[units] * 2,
            sig_name=list(leads),
            d_signal=SIGNAL.T,
            fmt=["16"] * 2,
            adc_gain=[1000.0] * 2,
            baseline=[0] * 2,
            write_dir=str(tmp_path),
        )
        return tmp_path / "r1"

    return write


def test_leads_come_in_the_order_asked_for_whatever_their_case(record):
    signal = read_wfdb(record(), ["V1", "aVR"], sampling_rate=100)
    assert signal.dtype == np.float32
    np.testing.assert_allclose(signal, SIGNAL[::-1] / 1000, atol=1e-7)


@pytest.mark.parametrize(("units", "factor"), [("uV", 1e-3), ("mV", 1), ("V", 1e3)])
def test_units_become_millivolts(record, units, factor):
    signal = read_wfdb(record(units), ["aVR", "V1"])
    np.testing.assert_allclose(signal, SIGNAL / 1000 * factor, rtol=1e-6)


def test_a_matlab_file_behind_a_header_is_read(tmp_path):
    savemat(tmp_path / "A1.mat", {"val": SIGNAL[:1]}, format="4")
    header = "A1 1 300 4\nA1.mat 16+24 1000/mV 16 0 1000 750 0 ECG\n"
    (tmp_path / "A1.hea").write_text(header)
    signal = read_wfdb(tmp_path / "A1", ["ECG"], sampling_rate=300)
    np.testing.assert_allclose(signal, SIGNAL[:1] / 1000, atol=1e-7)


def test_a_missing_lead_is_named_with_those_found(record):
    with pytest.raises(DataError, match=r"r1.hea: no lead V6; found: AVR, v1"):
        read_wfdb(record(), ["V1", "V6"])


def test_an_unknown_unit_is_refused(record):
    with pytest.raises(DataError, match="unknown unit 'mmHg'"):
        read_wfdb(record("mmHg"), ["V1"])


def test_another_sampling_rate_is_refused(record):
    with pytest.raises(DataError, match="100 Hz, expected 500 Hz"):
        read_wfdb(record(), ["V1"], sampling_rate=500)


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="nothing: not a readable WFDB record"):
        read_wfdb(tmp_path / "nothing", ["V1"])


def test_a_truncated_file_is_a_data_error(record):
    path = record()
    path.with_suffix(".dat").write_bytes(SIGNAL.T.tobytes()[:6])
    with pytest.raises(DataError, match=r"declares 4 samples, 16 bytes, but r1.dat"):
        read_wfdb(path, ["V1"])


@pytest.mark.parametrize("header", ["", "r1\n", "r1 2 100 4\nr1.dat\n", "\0\1\2"])
def test_a_malformed_header_is_a_data_error(record, header):
    path = record()
    path.with_suffix(".hea").write_text(header)
    with pytest.raises(DataError):
        read_wfdb(path, ["V1"])
