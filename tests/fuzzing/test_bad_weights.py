"""`harness evaluate` on weights from a stranger: figures or a message, and nothing run,
written elsewhere or shown that a terminal would obey.
"""

import json
import shutil
import struct

import pytest
import torch
from hypothesis import example, given
from mutations import (
    HOSTILE_TEXTS,
    SECONDS,
    fuzzed,
    mutated_bytes,
    mutated_value,
    outcome,
)
from safetensors import safe_open
from safetensors.torch import save

from harness.catalog import Catalog
from harness.errors import ConfigError, HarnessError
from harness.training.saved_cell import read_weights, rebuild

pytestmark = [
    pytest.mark.timeout(SECONDS, method="thread"),
    pytest.mark.usefixtures("torch_as_before"),
]


@pytest.fixture(scope="module")
def whole(tiny_run):
    """A finished cell's weights: tensors, what they say of themselves, and the file."""
    file = tiny_run.cell("baseline") / "model.safetensors"
    with safe_open(file, "pt") as opened:
        about = json.loads(opened.metadata()["harness_cell"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return tensors, about, file.read_bytes()


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


def write(path, tensors, about):
    path.write_bytes(save(tensors, {"harness_cell": json.dumps(about)}))
    return path


def assert_a_cell_or_a_message(path, catalog):
    """Read the weights, and make the cell of them."""
    made, message = outcome(
        HarnessError, lambda: rebuild(read_weights(path).cell, catalog)
    )
    if made is None:
        assert message
        return
    cell, _ = made
    # Where data lies is for who evaluates to say.
    assert cell.options.root is None
    assert len(cell.folder.parts) == 4
    assert ".." not in cell.folder.parts


def test_damaged_bytes_end_in_a_cell_or_a_message(whole, catalog, tmp_path):
    _, _, raw = whole
    header = 8 + struct.unpack("<Q", raw[:8])[0]

    @fuzzed(80)
    @given(
        mutated_bytes(raw) | mutated_bytes(raw[:header]).map(lambda b: b + raw[header:])
    )
    @example(b"")
    @example(struct.pack("<Q", 1 << 60) + raw[8:])
    @example(struct.pack("<Q", 1 << 40) + raw[8:])
    def run(damaged):
        path = tmp_path / "model.safetensors"
        path.write_bytes(damaged)
        assert_a_cell_or_a_message(path, catalog)

    run()


def test_another_description_ends_in_a_cell_or_a_message(whole, catalog, tmp_path):
    tensors, about, _ = whole

    @fuzzed(100)
    @given(mutated_value(about))
    @example(about | {"id": "../../../x"})
    @example(about | {"requires": {"teacher": about | {"id": "../../../../x"}}})
    @example(about | {"strategies": []})
    @example(about | {"seed": 10**4000})
    @example(about | {"model": {"name": "../../x", "version": 1, "params": {}}})
    def run(described):
        path = write(tmp_path / "model.safetensors", tensors, described)
        assert_a_cell_or_a_message(path, catalog)

    run()


def test_a_description_nested_without_end_is_refused(whole, tmp_path):
    tensors, _, _ = whole
    path = tmp_path / "model.safetensors"
    for text in ("[" * 100_000, '{"requires":{"a":' * 5_000, '{"id": "0", "id": "1"}'):
        path.write_bytes(save(tensors, {"harness_cell": text}))
        with pytest.raises(ConfigError, match="harness_cell"):
            read_weights(path)


def test_a_folder_that_the_weights_name_is_not_written_to(
    harness, whole, catalog, tmp_path, monkeypatch
):
    tensors, about, _ = whole
    outside = tmp_path / "outside"
    options = about["dataset"]["options"] | {"root": str(outside)}
    about = about | {"dataset": about["dataset"] | {"options": options}}
    path = write(tmp_path / "model.safetensors", tensors, about)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    assert harness("evaluate", path).code == 0
    assert (tmp_path / "cache" / "generated").is_dir()
    assert not outside.exists()


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_no_text_of_a_stranger_reaches_the_terminal_as_it_is(
    harness, whole, tmp_path, text
):
    tensors, about, _ = whole
    for changed in (
        about | {"id": text},
        about | {"model": about["model"] | {"name": text}},
        about | {"dataset": about["dataset"] | {"params": {text: text}}},
    ):
        path = write(tmp_path / "model.safetensors", tensors, changed)
        ended = harness("evaluate", path)
        assert ended.code == 2
        assert "Traceback" not in ended.err
        shown = ended.out + ended.err
        assert all(c.isprintable() or c in "\n\t" for c in shown)


@pytest.mark.parametrize("kind", ["nan", "integers", "complex", "half", "shape"])
def test_weights_of_another_kind_end_in_a_message(harness, whole, tmp_path, kind):
    tensors, about, _ = whole
    name = next(n for n, t in tensors.items() if t.is_floating_point())
    other = {
        "nan": torch.full_like(tensors[name], torch.nan),
        "integers": tensors[name].to(torch.int64),
        "complex": tensors[name].to(torch.complex64),
        "half": tensors[name].to(torch.float16),
        "shape": torch.zeros(1),
    }[kind]
    path = write(tmp_path / "model.safetensors", tensors | {name: other}, about)
    ended = harness("evaluate", path)
    assert ended.code == 2
    assert ended.err.startswith(("error: ", "preparing "))
    assert "Traceback" not in ended.err


def test_a_model_larger_than_its_weights_is_not_made(harness, whole, tmp_path):
    tensors, about, _ = whole
    about = about | {"model": about["model"] | {"params": {"width": 10**9}}}
    path = write(tmp_path / "model.safetensors", tensors, about)
    ended = harness("evaluate", path)
    assert ended.code == 2
    assert "Traceback" not in ended.err


def test_a_cells_folder_may_be_anywhere_and_anything(harness, tiny_run, tmp_path):
    (tmp_path / "model.safetensors").mkdir()
    assert harness("evaluate", tmp_path).code == 2
    shutil.rmtree(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").symlink_to("/dev/zero")
    assert harness("evaluate", tmp_path).code == 2
    assert harness("evaluate", "/dev/zero").code == 2
