"""A checkpoint is taken whole or not at all, and nothing in one is ever executed."""

import io
import os
import pickle
import zipfile

import pytest
import torch
from hypothesis import example, given
from mutations import SECONDS, fuzzed, mutated_bytes, mutated_value

from harness.training.checkpoint import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.timeout(SECONDS, method="thread")

KEY = "the cell's"
STATE = {
    "key": KEY,
    "places": [["round", 0, 2], ["epoch", 1, 7]],
    "states": [
        {
            "model": {"weight": torch.arange(12.0).reshape(3, 4)},
            "history": [{"epoch": 0, "loss": 0.5, "kept": None}],
        }
    ],
}


class Payload:
    """What a pickle runs when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    save_checkpoint(folder, STATE)
    return (folder / "checkpoint.pt").read_bytes()


def assert_is_the_state(found):
    assert {k: found[k] for k in ("key", "places")} == {
        k: STATE[k] for k in ("key", "places")
    }
    ((own,), (expected,)) = found["states"], STATE["states"]
    assert torch.equal(own["model"]["weight"], expected["model"]["weight"])
    assert own["history"] == expected["history"]


def test_damaged_bytes_are_noticed(raw, tmp_path):
    @fuzzed(100)
    @given(mutated_bytes(raw))
    @example(b"")
    def run(damaged):
        (tmp_path / "checkpoint.pt").write_bytes(damaged)
        found = load_checkpoint(tmp_path, KEY)
        if found is not None:
            assert_is_the_state(found)

    run()


def test_a_damaged_one_gives_way_to_the_one_before(raw, tmp_path):
    (tmp_path / "checkpoint.previous.pt").write_bytes(raw)

    @fuzzed(50)
    @given(mutated_bytes(raw))
    def run(damaged):
        (tmp_path / "checkpoint.pt").write_bytes(damaged)
        assert_is_the_state(load_checkpoint(tmp_path, KEY))

    run()


def test_another_layout_is_no_checkpoint_or_one_with_loops_and_states(tmp_path):
    plain = {"key": KEY, "places": [["round", 0, 2]], "states": [{"a": [1]}]}

    @fuzzed(80)
    @given(mutated_value(plain))
    @example([])
    @example({"key": KEY})
    @example({**plain, "places": [["round", 0]]})
    def run(state):
        torch.save(state, tmp_path / "checkpoint.pt")
        found = load_checkpoint(tmp_path, KEY)
        if found is not None:
            assert found["key"] == KEY
            assert all(
                isinstance(n, str) and o + i == i + o for n, o, i in found["places"]
            )
            assert all(isinstance(own, dict) for own in found["states"])

    run()


@pytest.mark.parametrize("form", ["pickle", "torch", "legacy", "inside", "renamed"])
def test_code_in_a_checkpoint_is_not_run(raw, tmp_path, form):
    trap = tmp_path / "trap"
    state = {**STATE, "states": [{"model": Payload(trap)}]}
    path = tmp_path / "checkpoint.pt"
    match form:
        case "pickle":
            path.write_bytes(pickle.dumps(state))
        case "torch":
            torch.save(state, path)
        case "legacy":
            torch.save(state, path, _use_new_zipfile_serialization=False)
        case "inside" | "renamed":
            stream = io.BytesIO()
            name = "archive/data.pkl" if form == "renamed" else "checkpoint/data.pkl"
            with zipfile.ZipFile(stream, "w") as archive:
                for part in ("version", "byteorder"):
                    archive.writestr(name.replace("data.pkl", part), b"3\n")
                archive.writestr(name, pickle.dumps(state, protocol=2))
            path.write_bytes(stream.getvalue())
    assert load_checkpoint(tmp_path, KEY) is None
    assert not trap.exists()


def test_a_small_file_that_unfolds_into_a_huge_one_is_left_alone(raw, tmp_path):
    with (
        zipfile.ZipFile(io.BytesIO(raw)) as whole,
        zipfile.ZipFile(
            tmp_path / "checkpoint.pt", "w", zipfile.ZIP_DEFLATED
        ) as folded,
    ):
        for member in whole.namelist():
            content = whole.read(member)
            if "/data/" in member:
                content = bytes(64 << 20)
            folded.writestr(member, content)
    assert (tmp_path / "checkpoint.pt").stat().st_size < 1 << 20
    assert load_checkpoint(tmp_path, KEY) is None


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_what_is_no_file_is_no_checkpoint(tmp_path, kind):
    path = tmp_path / "checkpoint.pt"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
    assert load_checkpoint(tmp_path, KEY) is None
