"""Whatever stands in a file of predictions: arrays that fit together, or a message."""

import io
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import SECONDS, fuzzed, mutated_bytes, outcome, put_no_file

from harness.results.predictions import read_test_predictions

pytestmark = pytest.mark.timeout(SECONDS, method="thread")

NAMES = ("records", "patients", "labels", "probabilities")
ARRAYS = {
    "test_records": np.array(["a", "b", "c"]),
    "test_patients": np.array(["p", "p", "q"]),
    "test_labels": np.array([0, 1, 1]),
    "test_probabilities": np.array([[0.5, 0.5], [0.1, 0.9], [1, 0]], np.float32),
}


def archive(arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


WHOLE = archive(ARRAYS)


def header(shape, kind="<f4"):
    """An array's file that says what isn't so."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()


def with_member(content):
    """An archive in which one member is these bytes."""
    stream = io.BytesIO()
    with ZipFile(stream, "w") as file:
        for name, array in ARRAYS.items():
            part = io.BytesIO()
            np.save(part, array)
            changed = content if name == "test_labels" else part.getvalue()
            file.writestr(f"{name}.npy", changed)
    return stream.getvalue()


@st.composite
def other_arrays(draw):
    """One array of another type, shape or content."""
    name = draw(st.sampled_from(sorted(ARRAYS)))
    kind = draw(
        st.sampled_from(["<f8", "<i8", "?", "<U3", "S3", "<c8", "<M8[s]", "u1"])
    )
    shape = draw(
        st.sampled_from([(), (0,), (3,), (2,), (3, 2), (3, 1), (0, 2), (3, 2, 2)])
    )
    return ARRAYS | {name: np.zeros(shape, kind)}


def test_what_is_written_is_read(tmp_path):
    (tmp_path / "predictions.npz").write_bytes(WHOLE)
    found = read_test_predictions(tmp_path)
    for name in NAMES:
        assert (getattr(found, name) == ARRAYS[f"test_{name}"]).all()


def test_damaged_predictions_are_refused_or_fit_together(tmp_path):
    @fuzzed(150)
    @given(mutated_bytes(WHOLE) | other_arrays().map(archive))
    @example(b"")
    @example(WHOLE[: len(WHOLE) // 2])
    @example(archive({"test_records": ARRAYS["test_records"]}))
    @example(archive(ARRAYS | {"test_records": np.array([None] * 3)}))
    @example(with_member(header("(1000000000000000,)")))
    @example(with_member(header("(4000000000,)")))
    @example(with_member(header("(-1,)")))
    @example(with_member(header("(3,", "|O")))
    @example(with_member(header("(3,)", "|O")))
    @example(with_member(header("(3,)", "<U999999999")))
    @example(with_member(header("(" * 50)))
    @example(with_member(header("(3L,)")))
    @example(with_member(header("(3,)").replace(b"descr", b"other")))
    @example(with_member(b"\x93NUMPY\x09\x00" + b"\xff" * 20))
    def run(content):
        (tmp_path / "predictions.npz").write_bytes(content)
        found, message = outcome((OSError, ValueError), read_test_predictions, tmp_path)
        if found is None:
            assert message
            return
        size = len(found.records)
        assert size == len(found.patients) == len(found.labels) > 0
        assert found.probabilities.shape[0] == size
        assert np.isfinite(found.probabilities).all()

    run()


def test_an_archive_that_unfolds_without_end_is_not_opened(tmp_path):
    zeros = np.zeros(1 << 28, np.uint8)
    (tmp_path / "predictions.npz").write_bytes(archive({"test_labels": zeros}))
    with pytest.raises(ValueError, match="unfolds into too much"):
        read_test_predictions(tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_what_is_no_file_is_not_read(tmp_path, kind):
    put_no_file(tmp_path / "predictions.npz", kind)
    with pytest.raises((OSError, ValueError)):
        read_test_predictions(tmp_path)
