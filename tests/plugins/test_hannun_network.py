"""The CinC 2017 network of Hannun et al. 2019 (doi 10.1038/s41591-018-0268-3).

Figures are those of section 1.2 of the methods' notes, computed from its layers.
"""

import json
import math

import pytest
import torch
from commands_here import run
from torch import nn

from harness.cost.sparsity import inference_macs, prunable
from harness.data.batch import step_mask
from harness.data.splits_loaded import bucket_samples

STAGES = ("blocks 0-3", "blocks 4-7", "blocks 8-11", "blocks 12-15")


@pytest.fixture(scope="module")
def resnet1d(plugin):
    return plugin("models/resnet1d/__init__.py", "ResNet1d")


@pytest.fixture(scope="module")
def network(resnet1d):
    """One lead, four classes."""
    torch.manual_seed(0)
    params = resnet1d.Params(**resnet1d.presets["hannun"].params)
    return resnet1d(params).build(leads=1, samples=8960, outputs=4).eval()


def test_every_parameter_is_accounted_for(network):
    """10,466,212: 34 prunable tensors, biases with norms' shifts, norms' scales."""
    weights = prunable(network)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]
    biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
    running = [b for name, b in network.named_buffers() if "running" in name]
    assert sum(p.numel() for p in network.parameters()) == 10_466_212
    assert len(weights) == 34
    assert sum(w.numel() for w in weights.values()) == 10_454_528
    assert sum(b.numel() for b in biases) == 7_780
    assert sum(n.weight.numel() for n in norms) == 3_904
    assert sum(b.numel() for b in running) == 7_808


@pytest.mark.parametrize(
    ("samples", "macs"), [(7_680, 2.08e9), (8_960, 2.427e9), (18_176, 4.92e9)]
)
def test_cost_of_a_record(network, samples, macs):
    found = inference_macs(network, (1, samples))
    assert found["dense_macs"] == pytest.approx(macs, rel=2e-3)


def test_weights_lie_at_the_end_and_work_everywhere(network):
    """Weights 1.25, 4.7, 18.8, 75.2 %; multiply-adds 27, 24, 24, 24 %."""
    weights = [sum(w.numel() for w in prunable(s).values()) for s in network.stages]
    shares = [round(w / 10_454_528 * 100, 1) for w in weights]
    assert dict(zip(STAGES, shares, strict=True)) == {
        "blocks 0-3": 1.3,
        "blocks 4-7": 4.7,
        "blocks 8-11": 18.8,
        "blocks 12-15": 75.2,
    }
    shapes = [(32, 8960), (32, 2240), (64, 560), (128, 140)]
    work = [
        inference_macs(stage, shape)["dense_macs"]
        for stage, shape in zip(network.stages, shapes, strict=True)
    ]
    whole = inference_macs(network, (1, 8960))["dense_macs"]
    assert [round(100 * macs / whole) for macs in work] == [27, 24, 24, 24]


@pytest.mark.parametrize("samples", [256, 2_560, 8_960, 18_176])
def test_a_decision_each_256_samples(network, samples):
    with torch.no_grad():
        logits = network(torch.zeros(1, 1, samples))
    assert logits.shape == (1, 4, samples // 256)


@pytest.mark.parametrize("length", [2_714, 8_700, 8_704, 8_705, 9_000, 18_286])
def test_steps_that_hold_signal_are_known_in_a_padded_batch(length):
    """At 300 Hz a batch is padded to whole steps, so that none of padding counts."""
    bucket = bucket_samples(300.0)
    assert bucket == 256
    longest = -(-18_286 // bucket) * bucket
    mask = step_mask(torch.tensor([length]), longest, longest // 256)
    assert int(mask.sum()) == math.ceil(length / 256)


SUITE = """
name = "hannun"

[budget]
epochs = 1
batch_size = 32
optimizer = { use = "adam", lr = 1e-3 }
schedule = { use = "plateau", factor = 0.1, patience = 2 }

[[dataset]]
use = "cinc2017"
seconds = "whole"
normalise = "train-global"
split = { file = "ids.json" }

[[model]]
use = "resnet1d"
preset = "hannun"

[[strategy]]
use = ["baseline", "prior-vote"]
"""


def one_of_each_class(dataset):
    """Ids of three splits, each with a record of every class."""
    labels = dataset.records()["labels"]
    of_class = [labels.index[labels == (name,)] for name in dataset.classes]
    names = ("train", "validation", "test")
    return {name: [ids[n] for ids in of_class] for n, name in enumerate(names)}


@pytest.mark.real_data
def test_a_step_of_training_on_real_records(plugin, tmp_path, real_data, monkeypatch):
    """The whole way: suite, whole records, one step, the vote, the saved weights."""
    monkeypatch.setenv("HARNESS_DATA", str(real_data))
    dataset = plugin("datasets/cinc2017.py", "CinC2017")(root=real_data / "cinc2017")
    (tmp_path / "ids.json").write_text(json.dumps(one_of_each_class(dataset)))
    (tmp_path / "hannun.toml").write_text(SUITE)
    run("run", "hannun.toml", "--device", "cpu", cwd=tmp_path)
    (path,) = tmp_path.rglob("result.json")
    result = json.loads(path.read_text())
    assert result["cost"]["audit"]["status"] == "passed"
    assert result["cost"]["backward_samples"] == 4
    test = result["metrics"]["test"]
    assert set(test["class_subsets"]) == {"f1_nao"}
    again = json.loads(run("evaluate", str(path.parent), "--json", cwd=tmp_path))
    assert again["metrics"] == test
