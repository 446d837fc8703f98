"""A damaged prepared file is made again, or a record of it refused; a signal that is
read is the one that was written, and nobody waits for HDF5 for ever.
"""

import h5py
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import SECONDS, fuzzed, mutated_bytes, outcome

from harness.data.decode import Decoded
from harness.data.prepared_file import PreparedRecords, read_contents, write_prepared
from harness.errors import DataError

# HDF5 loops in C, where a signal is not heard.
pytestmark = pytest.mark.timeout(SECONDS, method="thread")

LEADS = ["I", "II"]
SIGNALS = {
    f"r{i}": np.random.default_rng(i).normal(size=(2, n)).astype(np.float32)
    for i, n in enumerate((300, 500, 20))
}


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "prepared.h5"
    records = [Decoded(name, signal) for name, signal in SIGNALS.items()]
    records.append(Decoded("bad", fault="unreadable"))
    records.append(Decoded("flat", SIGNALS["r0"], flat=("I",)))
    write_prepared(found, records, LEADS, {"key": "k", "sampling_rate": 100.0})
    return found


def assert_whole_or_refused(path):
    contents = read_contents(path)
    if contents is None:
        with pytest.raises(DataError, match="prepare it again"):
            PreparedRecords(path, LEADS)
        return
    assert contents.ids.tolist() == [*SIGNALS, "flat"]
    assert contents.bad == [
        {"record": "bad", "reason": "unreadable"},
        {"record": "flat", "leads": ["I"]},
    ]
    records = PreparedRecords(path, LEADS[::-1])
    try:
        for name, signal in SIGNALS.items():
            assert records.samples(name) == signal.shape[1]
            found, message = outcome(DataError, records.read, name)
            if found is None:
                assert f"record {name} is damaged" in message
            else:
                assert np.array_equal(found, signal[::-1])
    finally:
        records.close()


def test_damaged_bytes_are_noticed(path):
    raw = path.read_bytes()
    assert_whole_or_refused(path)
    # Where HDF5 keeps what lies where; the rest is mostly room for more signals.
    table = st.integers(0, 12_000) | st.integers(0, len(raw) - 1)

    @fuzzed(150)
    @given(
        mutated_bytes(raw)
        | st.tuples(table, st.integers(0, 255)).map(
            lambda place: raw[: place[0]] + bytes([place[1]]) + raw[place[0] + 1 :]
        )
    )
    @example(b"")
    @example(raw[:-1])
    def run(damaged):
        path.write_bytes(damaged)
        assert_whole_or_refused(path)

    run()


@pytest.mark.parametrize("change", ["ids", "offsets", "lengths", "bad", "signals"])
def test_what_somebody_changed_with_hdf5_is_noticed(path, change):
    with h5py.File(path, "r+") as file:
        if change == "ids":
            file["ids"][:2] = file["ids"][:2][::-1]
        elif change == "bad":
            file["bad"][0] = b"[]"
        elif change == "signals":
            del file["signals"]
            file["signals"] = np.zeros(2240, dtype=np.float32)
        else:
            file[change][0] += 1
    assert read_contents(path) is None


@pytest.mark.parametrize("name", ["ids", "offsets", "lengths", "signals"])
def test_a_huge_declared_size_is_not_allocated(path, name):
    with h5py.File(path, "r+") as file:
        kind = file[name].dtype
        del file[name]
        file.create_dataset(name, (1 << 40,), kind, chunks=(1 << 10,))
    assert read_contents(path) is None


def test_strings_of_any_length_are_not_followed(path):
    with h5py.File(path, "r+") as file:
        ids = file["ids"].asstr()[:]
        del file["ids"]
        file["ids"] = np.array(ids, dtype=object).astype(h5py.string_dtype())
    assert read_contents(path) is None
