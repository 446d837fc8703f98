import json
import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

pytestmark = pytest.mark.usefixtures("torch_as_before")

OTHER = """
[[dataset]]
use = "synthetic"
label = "other"
records = 80
duration = 2.0
seed = 1

[[dataset]]
use = "synthetic"
label = "limb"
records = 80
duration = 2.0
leads = ["I", "II"]

[[dataset]]
use = "synthetic"
label = "findings"
task = "multi-label"
records = 80
duration = 3.0

[[strategy]]
use = "majority"
"""


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "other.toml"
    path.write_text(OTHER)
    return path


def rewritten(cell, path, **changes):
    """A copy of a cell's weights with its header changed; None takes it away."""
    with safe_open(cell / "model.safetensors", "pt") as file:
        about = json.loads(file.metadata()["harness_cell"]) | changes
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"harness_cell": json.dumps(about)})
    return tensors, about


@pytest.mark.parametrize("strategy", ["majority", "dbpd"])
def test_the_figures_are_those_of_the_result(harness, tiny_run, strategy):
    cell = tiny_run.cell(strategy)
    result = json.loads((cell / "result.json").read_text())

    for weights in (cell, cell / "model.safetensors"):
        ended = harness("evaluate", weights, "--json")
        assert ended.code == 0
        assert json.loads(ended.out)["metrics"] == result["metrics"]["test"]

    ended = harness("evaluate", cell, "--split", "validation", "--json")
    found = json.loads(ended.out)["metrics"]
    expected = result["metrics"]["validation"]
    assert {k: v for k, v in found.items() if k != "class_subsets"} == {
        k: v for k, v in expected.items() if k != "class_subsets"
    }


def test_a_table_shows_each_class(harness, tiny_run):
    out = harness("evaluate", tiny_run.cell("baseline")).out

    for word in ("macro-F1", "accuracy", "macro AUROC", "records", "HYP"):
        assert word in out


def test_weights_can_be_scored_on_another_data_set(harness, tiny_run, other):
    cell = tiny_run.cell("baseline")

    ended = harness("evaluate", cell, "--on", other, "--dataset", "other", "--json")

    assert ended.code == 0
    found = json.loads(ended.out)
    assert found["dataset"] == "other"
    assert found["metrics"]["records"] > 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--dataset", "limb"], "leads: ['I', 'II'], but the weights are for"),
        (["--dataset", "findings"], "task: multi-label, but the weights are for"),
        (["--dataset", "findings"], "seconds: 3 s, but the weights are for 2 s"),
        (["--dataset", "othr"], "no data set 'othr'; did you mean 'other'?"),
        ([], "name one of 'other', 'limb', 'findings'"),
    ],
)
def test_a_data_set_that_does_not_suit_is_refused(
    harness, tiny_run, other, options, expected
):
    ended = harness("evaluate", tiny_run.cell("baseline"), "--on", other, *options)

    assert ended.code == 2
    assert expected in ended.err


def test_files_that_are_no_weights_are_refused(harness, tiny_run, tmp_path):
    hostile = tmp_path / "hostile.safetensors"
    hostile.write_bytes(pickle.dumps(print))
    bare = tmp_path / "bare.safetensors"
    save_file({"x": torch.zeros(1)}, bare)
    told = {
        tmp_path: "holds no model.safetensors",
        tmp_path / "nowhere": "no such file",
        hostile: "is no safetensors file",
        bare: "doesn't say which cell it is from",
    }

    for path, expected in told.items():
        ended = harness("evaluate", path)
        assert ended.code == 2
        assert expected in ended.err


def test_a_header_that_is_wrong_is_refused(harness, tiny_run, tmp_path):
    path = tmp_path / "model.safetensors"
    cell = tiny_run.cell("baseline")
    changes = [
        ({"seed": "zero"}, "seed: should be a valid integer"),
        ({"budget": {"epoch": 1}}, "unknown key; did you mean 'epochs'?"),
        (
            {"model": {"name": "gone", "version": 1, "params": {}}},
            "unknown model 'gone'",
        ),
        (
            {"model": {"name": "cnn1d", "version": 1, "params": {"width": 8}}},
            "the weights don't fit the cell's model",
        ),
        (
            {"identity": {"dataset": {"fingerprint": "other"}}},
            "aren't those of the cell",
        ),
    ]

    for change, expected in changes:
        rewritten(cell, path, **change)
        ended = harness("evaluate", path)
        assert ended.code == 2, change
        assert expected in ended.err


def test_weights_of_another_version_are_scored_with_a_warning(
    harness, tiny_run, tmp_path
):
    path = tmp_path / "model.safetensors"
    model = {"name": "cnn1d", "version": 99, "params": {"width": 4}}
    rewritten(tiny_run.cell("baseline"), path, model=model)

    ended = harness("evaluate", path, "--json")

    assert ended.code == 0
    assert "made by version 99" in ended.err
