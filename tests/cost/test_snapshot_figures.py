"""Sizes and latencies in the files of a real run: measured by the core, on states that
a strategy only names.
"""

import json
import re
import shutil

import pytest
from commands_here import run
from safetensors.numpy import load_file

PRUNING = """
from harness import Strategy, hookimpl


class Halving(Strategy):
    \"\"\"Zeroes half of what is left of each convolution and linear layer, twice.\"\"\"

    name = "halving"

    @hookimpl
    def setup(self, run):
        import torch

        self.weights = [p for p in run.model.parameters() if p.ndim > 1]
        self.masks = [torch.ones_like(w) for w in self.weights]
        run.track(**{f"mask {i}": mask for i, mask in enumerate(self.masks)})

    @hookimpl
    def after_step(self, run):
        import torch

        with torch.no_grad():
            for weight, mask in zip(self.weights, self.masks, strict=True):
                weight.mul_(mask)

    @hookimpl
    def train(self, run):
        for number in run.loop("round", 3):
            run.fit(fresh_optimizer=True)
            run.snapshot("ticket", round=number)
            if number < 2:
                for weight, mask in zip(self.weights, self.masks, strict=True):
                    size = weight.detach().abs() * mask
                    mask[size <= size[mask > 0].median()] = 0
                self.after_step(run)
                run.snapshot("pruned", round=number + 1)
        return True
"""

SUITE = """
name = "halved"
plugins = ["plugins"]

[budget]
epochs = 1
batch_size = 16

[[dataset]]
use = "synthetic"
records = 60
duration = 2.0

[[model]]
use = "cnn1d"
width = 4

[[strategy]]
use = "baseline"

[[strategy]]
use = "halving"
"""


@pytest.fixture(scope="module")
def halved(tmp_path_factory):
    """The folder of a suite of two cells that is done."""
    folder = tmp_path_factory.mktemp("halved")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "halving.py").write_text(PRUNING)
    (folder / "halved.toml").write_text(SUITE)
    run("run", "halved.toml", "--device", "cpu", cwd=folder)
    return folder


def cell(halved, strategy="halving"):
    (result,) = halved.glob(f"runs/synthetic/*/{strategy}/*/result.json")
    return result.parent


def read(halved, strategy="halving", name="result.json"):
    return json.loads((cell(halved, strategy) / name).read_text())


def nonzero(weights):
    """Elements that aren't zero, of what has more than one axis."""
    return sum(int((w != 0).sum()) for w in weights.values() if w.ndim > 1)


def test_sizes_are_those_of_the_weights_that_were_kept(halved):
    result = read(halved)
    names = [(s["name"], s["axes"]["round"]) for s in result["snapshots"]]
    assert names == [
        ("ticket", 0),
        ("pruned", 1),
        ("ticket", 1),
        ("pruned", 2),
        ("ticket", 2),
    ]
    for entry in result["snapshots"]:
        weights = load_file(cell(halved) / "snapshots" / entry["file"])
        size = entry["size"]
        assert size["remaining"] == nonzero(weights)
        assert sum(size["remaining_by_layer"].values()) == size["remaining"]
        assert size["reduction_factor"] == size["prunable"] / size["remaining"]
        stored = size["stored_bytes"]
        assert stored["dense_total"] == sum(w.nbytes for w in weights.values())
        assert stored["total"] == stored["values"] + stored["index"] + stored["other"]
        assert stored["total"] <= stored["dense_total"]


def test_the_final_weights_are_those_of_the_last_round(halved):
    result = read(halved)
    last = result["snapshots"][-1]["size"]
    assert {k: v for k, v in result["size"].items() if k != "layers"} == last
    assert set(result["size"]["layers"]) == set(last["remaining_by_layer"])
    assert last["reduction_factor"] == pytest.approx(4, rel=0.05)
    assert result["cost"]["sparsity"]["prunable"] == last["sparsity"]
    for key in ("dense_macs", "sparse_macs"):
        assert result["cost"]["inference"][key] == last[key]


def test_every_state_has_a_latency_that_is_no_part_of_the_result(halved):
    measured = read(halved, name="measured.json")
    latency = measured["latency_seconds"]
    files = [entry["file"] for entry in read(halved)["snapshots"]]
    assert sorted(latency["snapshots"]) == sorted(files)
    values = [latency["final"], *latency["snapshots"].values()]
    assert all(0 < value < 10 for value in values)
    assert measured["seconds"]["latency"] > 0
    assert "latency" not in (cell(halved) / "result.json").read_text()


@pytest.mark.parametrize(
    ("strategy", "fits", "kept"), [("baseline", 1, 0), ("halving", 3, 5)]
)
def test_what_is_timed_is_charged_to_nothing(halved, strategy, fits, kept):
    """Evaluation is every record of every judgement, and not one forward more."""
    result = read(halved, strategy)
    counts = result["dataset"]["counts"]
    judged = counts["validation"]["records"] * (fits + 1)
    judged += counts["test"]["records"] * (1 + kept)
    assert result["cost"]["flops"]["evaluation"] == judged * (
        2 * result["cost"]["inference"]["dense_macs"]
    )
    assert result["cost"]["effective_epochs"] == fits


def test_the_leaderboard_shows_the_rounds_and_links_to_plots(halved):
    page = (halved / "leaderboard" / "halved.md").read_text()
    assert "<summary>halving: 3 rounds</summary>" in page
    links = re.findall(r"\]\((halved/[^)]+)\)", page)
    assert [link.split(".")[-2] for link in links] == [
        "reduction",
        "front",
        "compute",
        "layers",
        "last-round",
    ]
    for link in links:
        assert (halved / "leaderboard" / link).read_bytes().startswith(b"<?xml")


def test_a_report_writes_the_same_bytes_again(halved, tmp_path):
    moved = shutil.copytree(halved, tmp_path / "moved")
    shutil.rmtree(moved / "leaderboard")
    run("report", "halved", cwd=moved)
    for path in (halved / "leaderboard").rglob("*.*"):
        again = moved / "leaderboard" / path.relative_to(halved / "leaderboard")
        assert again.read_bytes() == path.read_bytes()
