"""Structured pruning (DepGraph, arXiv 2301.12900): what goes, what it saves, and that
runs with a changing network resume, reload and are metered as any other.
"""

import gc
import importlib
import json
import weakref
from functools import partial
from itertools import pairwise

import pytest
import torch
from commands_here import run
from pydantic import ValidationError
from safetensors.torch import load
from small_runs import (
    CLASSES,
    EVERY_BATCH,
    EVERY_EPOCH,
    LEADS,
    SAMPLES,
    make_run,
    outcome,
)
from stopping import resumed
from torch import nn

from harness.catalog import Catalog
from harness.errors import CellError, Interrupted

CNN = ("cnn1d", {"width": 4, "layers": 3, "kernel": 5})
PROJECTED = ("resnet1d", {"width": 4, "stages": 2, "kernel": 3, "stem_kernel": 5})
PADDED = ("resnet1d", {**PROJECTED[1], "shortcut": "zero-pad", "head": "steps"})
NETWORKS = {"cnn": CNN, "projected": PROJECTED, "padded": PADDED}


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


@pytest.fixture(scope="module")
def pruning(catalog):
    """A function that makes the strategy."""
    cls = catalog.load("strategy", "structured-pruning")
    return lambda **params: cls(cls.Params(**params))


@pytest.fixture(scope="module")
def channels(catalog):
    """The module of the strategy that takes channels out."""
    cls = catalog.load("strategy", "structured-pruning")
    return importlib.import_module(f"{cls.__module__}.channels")


@pytest.fixture(scope="module")
def build(catalog):
    """A function that builds a network by name and parameters."""

    def build(name, params):
        cls = catalog.load("model", name)
        return cls(cls.Params(**params)).build(LEADS, SAMPLES, CLASSES)

    return build


def run_of(folder, network, *strategies, **settings):
    """A run, not started, on a network that a function builds."""
    run = make_run(folder, *strategies, **{"epochs": 2, "records": 40, **settings})
    run.new_model = network
    return run


@pytest.fixture
def trained(tmp_path, pruning, build):
    """A function that trains and prunes a network; gives the run."""

    def train(network, folder="run", budget=None, **params):
        run = run_of(
            tmp_path / folder,
            partial(build, *network),
            pruning(**params),
            **(budget or {}),
        )
        run.execute()
        return run

    return train


def snapshots(run):
    """Weights of each snapshot, by name and round."""
    return {
        (entry["name"], entry["axes"]["round"]): load(run.snapshots.read(entry))
        for entry in run.snapshots.entries
    }


# --- what a network of some widths weighs and costs, by hand -------------------------


def halved(steps, times=1):
    for _ in range(times):
        steps = -(-steps // 2)
    return steps


def cnn_size(widths, kernel=5):
    """Parameters, multiply-adds of each layer (the first first)."""
    parameters, macs = 0, []
    for layer, (before, after) in enumerate(pairwise([LEADS, *widths])):
        parameters += before * after * kernel + 2 * after
        macs.append(before * after * kernel * halved(SAMPLES, layer + 1))
    parameters += widths[-1] * CLASSES + CLASSES
    return parameters, [*macs, widths[-1] * CLASSES]


def resnet_size(stem, stages, inner, kernel=3, stem_kernel=5):
    """Of two blocks a stage: parameters, and multiply-adds in all.

    `stages` and `inner` are the widths between blocks and within them.
    """
    steps = halved(SAMPLES)
    parameters = LEADS * stem * stem_kernel + 2 * stem
    macs = LEADS * stem * stem_kernel * steps
    before = stem
    for outer, within in zip(stages, inner, strict=True):
        steps = halved(steps)
        for block in range(2):
            weights = kernel * within * (before + outer)
            weights += before * outer if block == 0 else 0
            parameters += weights + 2 * before + 2 * within
            macs += weights * steps
            before = outer
    head = 2 * before * CLASSES
    return parameters + 2 * before + head + CLASSES, macs + head


# --- how much goes -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "ratio", "left"),
    [
        (16, 0.5, 8),
        (16, 0.25, 12),
        (10, 0.33, 7),
        # In floats 100 * 0.29 is less than 29, and 10 * (1 - 0.9) less than 1.
        (100, 0.29, 71),
        (10, 0.9, 1),
        (1, 0.9, 1),
        (3, 0.99, 1),
        (7, 0.0, 7),
    ],
)
def test_the_share_is_rounded_down_and_one_channel_stays(channels, width, ratio, left):
    assert channels.kept(width, ratio) == left


def test_every_layer_loses_the_same_share_in_equal_steps(trained):
    run = trained(CNN, ratio=0.5, rounds=2, epochs_per_round=1)
    widths = [
        [len(weights[f"layers.{i}.conv.weight"]) for i in range(3)]
        for weights in snapshots(run).values()
    ]
    dense, first, second = [4, 8, 16], [3, 6, 12], [2, 4, 8]
    assert list(snapshots(run)) == [
        *[("dense", 0), ("pruned", 1), ("retrained", 1)],
        *[("pruned", 2), ("retrained", 2)],
    ]
    assert widths == [dense, first, first, second, second]
    assert [len(run.model.layers[i].norm.running_mean) for i in range(3)] == second


def test_parameters_and_multiply_adds_of_a_cnn_fall_as_computed(trained):
    cost = outcome(trained(CNN, ratio=0.5))["cost"]
    parameters, macs = cnn_size([2, 4, 8])
    assert cost["parameters"] == {"total": parameters, "trainable": parameters}
    assert cost["inference"]["dense_macs"] == sum(macs)
    assert sum(cnn_size([4, 8, 16])[1]) > 2.5 * sum(macs)


def test_parameters_and_multiply_adds_of_a_resnet_fall_as_computed(trained):
    cost = outcome(trained(PROJECTED, ratio=0.5))["cost"]
    parameters, macs = resnet_size(2, [2, 4], [2, 4])
    assert cost["parameters"]["total"] == parameters
    assert cost["inference"]["dense_macs"] == macs


def test_the_metered_flops_are_those_of_each_round_s_network(trained):
    """Forward 2 MACs; backward once for weights, once for inputs but the signals."""
    run = trained(CNN, ratio=0.5, rounds=2, epochs_per_round=3)
    flops = outcome(run)["cost"]["flops"]
    rounds = [(2, [4, 8, 16]), (3, [3, 6, 12]), (3, [2, 4, 8])]
    forward = backward = 0
    for epochs, widths in rounds:
        _, macs = cnn_size(widths)
        forward += epochs * 40 * 2 * sum(macs)
        backward += epochs * 40 * 2 * (2 * sum(macs) - macs[0])
    assert flops["forward"] == forward
    assert flops["backward"] == backward


def test_the_audit_passes_though_the_network_changes(trained):
    budget = {"records": 200, "epochs": 3}
    audit = outcome(trained(CNN, budget=budget, rounds=2))["cost"]["audit"]
    assert audit["status"] == "passed"
    assert audit["largest_difference"] == 0
    assert audit["steps"] > 2


def test_the_history_tells_the_widths_of_each_round(trained):
    run = trained(CNN, ratio=0.5, epochs_per_round=1)
    told = [row.get("channels") for row in run.history.rows]
    names = [f"layers.{i}.conv" for i in range(3)]
    assert told[0] == dict(zip(names, [4, 8, 16], strict=True))
    assert told[1] is None
    assert told[2] == dict(zip(names, [2, 4, 8], strict=True))
    assert "outputs" in run.history.rows[0]["left_whole"]["head"]


def test_each_round_trains_the_new_network_as_long_as_it_is_told(trained):
    run = trained(CNN, rounds=2)
    rows = run.history.rows
    assert [(r["loops"].get("round"), r["epoch"]) for r in rows] == [
        *[(None, 0), (None, 1), (0, 0), (0, 1), (1, 0), (1, 1)]
    ]
    held = {id(p) for group in run.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in run.model.parameters()}
    taken = snapshots(run)
    for key in ("head.weight", "layers.0.conv.weight"):
        assert not torch.equal(taken["pruned", 2][key], taken["retrained", 2][key])


# --- which channels go ---------------------------------------------------------------


def strongest(importance, number):
    return importance.argsort(stable=True)[len(importance) - number :].sort().values


def squares(weight, dimension):
    return weight.square().transpose(0, dimension).flatten(1).sum(1)


def test_the_l2_norm_of_all_layers_of_a_group_decides(trained):
    """arXiv 2301.12900, section 3.3: rows of the convolution, the scale of its norm,
    and what the next layer reads, together.
    """
    taken = snapshots(trained(CNN, ratio=0.5))
    dense, pruned = taken["dense", 0], taken["pruned", 1]
    reads = ["layers.1.conv.weight", "layers.2.conv.weight", "head.weight"]
    kept = [torch.arange(LEADS)]
    for layer, reader in enumerate(reads):
        rows = squares(dense[f"layers.{layer}.conv.weight"], 0)
        scales = dense[f"layers.{layer}.norm.weight"].square()
        importance = rows + scales + squares(dense[reader], 1)
        kept.append(strongest(importance, len(importance) // 2))
        expected = dense[f"layers.{layer}.conv.weight"][kept[-1]][:, kept[-2]]
        assert torch.equal(pruned[f"layers.{layer}.conv.weight"], expected)
        for part in ("weight", "bias", "running_mean", "running_var"):
            name = f"layers.{layer}.norm.{part}"
            assert torch.equal(pruned[name], dense[name][kept[-1]])
    assert torch.equal(pruned["head.weight"], dense["head.weight"][:, kept[-1]])
    assert torch.equal(pruned["head.bias"], dense["head.bias"])


def test_scales_of_batch_norms_decide_where_told_so(trained):
    """Network slimming, arXiv 1708.06519: |scale| is a channel's importance."""
    taken = snapshots(trained(CNN, ratio=0.5, importance="batchnorm"))
    dense, pruned = taken["dense", 0], taken["pruned", 1]
    for layer in range(3):
        name = f"layers.{layer}.norm.weight"
        kept = strongest(dense[name].abs(), len(dense[name]) // 2)
        assert torch.equal(pruned[name], dense[name][kept])


def test_a_residual_addition_ties_the_widths_of_a_stage(trained):
    taken = snapshots(trained(PROJECTED, ratio=0.5))
    dense, pruned = taken["dense", 0], taken["pruned", 1]
    writers = ["0.0.conv2", "0.1.conv2", "0.0.shortcut.projection"]
    scales = ["0.1.norm1", "1.0.norm1"]
    readers = ["0.1.conv1", "1.0.conv1", "1.0.shortcut.projection"]
    importance = sum(
        *[[squares(dense[f"stages.{name}.weight"], 0) for name in writers]],
        start=torch.zeros(4),
    )
    importance += sum(dense[f"stages.{name}.weight"].square() for name in scales)
    importance += sum(squares(dense[f"stages.{name}.weight"], 1) for name in readers)
    kept = strongest(importance, 2)
    for name in scales:
        key = f"stages.{name}.running_mean"
        assert torch.equal(pruned[key], dense[key][kept])
    for name in writers:
        assert len(pruned[f"stages.{name}.weight"]) == 2
    for name in readers:
        assert pruned[f"stages.{name}.weight"].shape[1] == 2


def test_behind_a_padded_shortcut_only_inner_channels_go(trained):
    run = trained(PADDED, ratio=0.5)
    dense = snapshots(run)["dense", 0]
    for key, weight in run.model.state_dict().items():
        inner = key.split(".")[3] if key.startswith("stages") else ""
        before = dense[key].shape
        if inner in ("conv1", "norm2") and weight.ndim:
            assert weight.shape == (before[0] // 2, *before[1:])
        elif inner == "conv2" and weight.ndim == 3:
            assert weight.shape == (before[0], before[1] // 2, before[2])
        else:
            assert weight.shape == before
    assert "padded" in str(run.history.rows[0]["left_whole"])


@pytest.mark.parametrize("network", NETWORKS)
def test_leads_and_outputs_stay(trained, network):
    run = trained(NETWORKS[network], ratio=0.9)
    first = next(m for m in run.model.modules() if isinstance(m, nn.Conv1d))
    assert first.in_channels == LEADS
    logits = run.model(torch.randn(2, LEADS, SAMPLES))
    assert logits.shape[:2] == (2, CLASSES)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_padded_record_still_gives_the_logits_that_it_gives_alone(trained, network):
    model = trained(NETWORKS[network], ratio=0.5).model.eval()
    signal = torch.randn(1, LEADS, 40)
    padded = torch.full((2, LEADS, SAMPLES), 7.0)
    padded[:1, :, :40] = signal
    alone = model(signal)[0]
    beside = model(padded, torch.tensor([40, SAMPLES]))[0]
    if alone.ndim == 2:
        beside = beside[:, : alone.shape[1]]
    torch.testing.assert_close(beside, alone, atol=1e-4, rtol=1e-4)


def test_frozen_parameters_stay_frozen(channels, build):
    network = build(*CNN)
    network.layers[0].requires_grad_(False)
    pruned = channels.Channels(network, LEADS, SAMPLES).pruned(
        network, 0.5, lambda group: group.importance("l2")
    )
    trainable = {name: p.requires_grad for name, p in pruned.named_parameters()}
    assert trainable == {n: p.requires_grad for n, p in network.named_parameters()}
    assert len(network.layers[0].conv.weight) == 4


def test_no_network_of_before_is_kept_in_memory(tmp_path, pruning, build):
    made = []

    def network():
        dense = build(*CNN)
        made.append(weakref.ref(dense))
        return dense

    run = run_of(tmp_path, network, pruning(rounds=2))
    run.execute()
    gc.collect()
    assert [reference() for reference in made] == [None]


# --- resuming and reloading ----------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "execution", [EVERY_EPOCH, EVERY_BATCH], ids=["epoch", "batch"]
)
def test_stopped_after_every_checkpoint_it_ends_alike(
    tmp_path, pruning, build, network, execution
):
    def new(folder, **settings):
        strategy = pruning(rounds=2)
        made = partial(build, *NETWORKS[network])
        return run_of(tmp_path / folder, made, strategy, records=20, **settings)

    whole = new("whole")
    whole.execute()
    run, attempts = resumed(partial(new, "stopped", execution=execution))
    assert attempts >= 5
    assert outcome(run) == outcome(whole)
    at_its_end = new("stopped")
    at_its_end.execute()
    assert outcome(at_its_end) == outcome(whole)


def test_stopped_between_rounds_it_goes_on_with_the_pruned_network(
    tmp_path, pruning, build
):
    """Then the network has another shape than the code before the loop gave it."""

    def new(folder):
        strategy = pruning(rounds=2, epochs_per_round=1)
        return run_of(tmp_path / folder, partial(build, *PROJECTED), strategy)

    whole = new("whole")
    whole.execute()
    run = new("stopped")
    save = run.saver.save

    def saving():
        save()
        if [p.name for p in run.loops.open] == ["round"]:
            run.loops.stopping.set()

    run.saver.save = saving
    with pytest.raises(Interrupted):
        run.execute()
    assert len(run.history.rows) == 3
    again = new("stopped")
    again.execute()
    assert outcome(again) == outcome(whole)


SUITE = """
name = "pruned"

[budget]
epochs = 2
batch_size = 16

[[dataset]]
use = "synthetic"
records = 60
duration = 2.0

[[model]]
use = "resnet1d"
width = 4
stages = 2
kernel = 3

[[strategy]]
use = "structured-pruning"
rounds = 2
epochs_per_round = 1
controls = false
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shared_cache):
    """The folder of a finished cell of the suite."""
    folder = tmp_path_factory.mktemp("pruned")
    (folder / "pruned.toml").write_text(SUITE)
    run("run", "pruned.toml", "--device", "cpu", cwd=folder)
    (result,) = folder.glob("runs/synthetic/*/structured-pruning/*/result.json")
    return result.parent


@pytest.mark.usefixtures("torch_as_before")
@pytest.mark.parametrize("split", ["test", "validation"])
def test_evaluating_the_weights_gives_the_stored_metrics(harness, finished, split):
    ended = harness("evaluate", finished, "--split", split, "--json")
    assert ended.code == 0, ended.err
    stored = json.loads((finished / "result.json").read_text())["metrics"][split]
    found = json.loads(ended.out)["metrics"]
    assert {k: v for k, v in found.items() if k != "class_subsets"} == {
        k: v for k, v in stored.items() if k != "class_subsets"
    }


def test_every_snapshot_is_judged_in_its_own_shapes(finished):
    result = json.loads((finished / "result.json").read_text())
    judged = result["snapshots"]
    assert [(s["name"], s["axes"]["round"]) for s in judged] == [
        *[("dense", 0), ("pruned", 1), ("retrained", 1)],
        *[("pruned", 2), ("retrained", 2)],
    ]
    assert judged[-1]["test"]["macro_f1"] == result["metrics"]["test"]["macro_f1"]
    sizes = [s["size"]["parameters"] for s in judged]
    assert sizes[0] > sizes[1] == sizes[2] > sizes[3] == sizes[4]
    assert sizes[4] == result["cost"]["parameters"]["total"]


# --- networks that it can't prune ----------------------------------------------------


class Mixing(nn.Module):
    """A network of two convolutions, with something between them."""

    def __init__(self, between, norm=None):
        super().__init__()
        self.first = nn.Conv1d(LEADS, 8, 3, padding=1)
        self.norm = norm or nn.Identity()
        self.second = nn.Conv1d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, CLASSES)
        self.between = between

    def forward(self, signals):
        hidden = self.between(torch.relu(self.norm(self.first(signals))))
        return self.head(torch.relu(self.second(hidden)).mean(2))


def shuffled(steps):
    """Two groups of channels, taken in turns."""
    batch, width, length = steps.shape
    return steps.view(batch, 2, width // 2, length).transpose(1, 2).reshape(steps.shape)


def refused(folder, network, strategy):
    with pytest.raises(CellError) as caught:
        run_of(folder, lambda: network, strategy).execute()
    return str(caught.value)


@pytest.mark.parametrize(
    "between",
    [shuffled, lambda s: s.flip(1), lambda s: s - s.mean(1, keepdim=True)],
    ids=["shuffled", "turned round", "centred over channels"],
)
def test_channels_that_are_mixed_on_the_way_are_refused_by_name(
    tmp_path, pruning, between
):
    message = refused(tmp_path, Mixing(between), pruning())
    assert "channels of first from Mixing" in message


def test_nothing_is_trained_before_the_refusal(tmp_path, pruning):
    run = run_of(tmp_path, lambda: Mixing(shuffled), pruning())
    with pytest.raises(CellError):
        run.execute()
    assert run.history.rows == []


def test_layers_that_mix_channels_leave_them_whole(tmp_path, pruning):
    network = Mixing(nn.Identity(), nn.GroupNorm(2, 8))
    run = run_of(tmp_path, lambda: network, pruning(ratio=0.5))
    run.execute()
    assert run.model.first.out_channels == 8
    assert run.model.second.out_channels == 4
    told = run.history.rows[0]["left_whole"]["first"]
    assert told == "its channels meet norm, a GroupNorm"


def test_a_network_without_removable_channels_is_refused_with_the_reasons(
    tmp_path, pruning
):
    network = nn.Sequential(nn.Flatten(), nn.Linear(LEADS * SAMPLES, CLASSES))
    message = refused(tmp_path, network, pruning())
    assert "no channels to remove in Sequential" in message
    assert "1: its channels are the network's outputs" in message


def test_scales_of_norms_that_are_not_there_cannot_decide(tmp_path, pruning):
    message = refused(tmp_path, Mixing(nn.Identity()), pruning(importance="batchnorm"))
    assert "in Mixing have none; take" in message


def test_a_ratio_that_removes_nothing_is_refused(tmp_path, pruning, build):
    message = refused(tmp_path, build(*CNN), pruning(ratio=0.05))
    assert "the widest group has 16; a channel of it goes from 0.0625 on" in message


@pytest.mark.parametrize(
    "params", [{"ratio": 0.0}, {"ratio": 1.0}, {"rounds": 0}, {"importance": "l1"}]
)
def test_nonsense_is_refused(pruning, params):
    with pytest.raises(ValidationError):
        pruning(**params)


# --- with others ---------------------------------------------------------------------


def test_it_composes_with_dropping(tmp_path, catalog, pruning, build):
    cls = catalog.load("strategy", "dbpd")
    dropping = cls(cls.Params(confidence=0.34))
    run = run_of(tmp_path, partial(build, *CNN), pruning(), dropping)
    run.execute()
    cost = outcome(run)["cost"]
    rows = run.history.rows
    assert cost["backward_samples"] == sum(row["kept"] for row in rows)
    assert cost["forward_samples"] == sum(row["kept"] + row["scored"] for row in rows)
    assert [row["phase"] for row in rows] == ["filtered", "revision"] * 2


# --- its controls --------------------------------------------------------------------


def test_random_channels_are_as_many_and_others(trained):
    by_norm = snapshots(trained(CNN, ratio=0.5))["pruned", 1]
    run = trained(CNN, "random", ratio=0.5, importance="random")
    by_chance = snapshots(run)["pruned", 1]
    shapes = {name: weight.shape for name, weight in by_norm.items()}
    assert {name: weight.shape for name, weight in by_chance.items()} == shapes
    assert any(not torch.equal(by_norm[name], by_chance[name]) for name in shapes)


def test_a_pruned_row_stands_beside_chance_and_longer_training(harness, tmp_path):
    suite = tmp_path / "controls.toml"
    suite.write_text(
        '[[dataset]]\nuse = "synthetic"\nrecords = 60\n[[model]]\nuse = "cnn1d"\n'
        '[[strategy]]\nuse = "structured-pruning"\nratio = 0.25\n'
    )
    ended = harness("plan", suite, "--json")
    labels = [cell["strategy"] for cell in json.loads(ended.out)["cells"]]
    assert labels == [
        "structured-pruning",
        "structured-pruning: baseline at equal FLOPs",
        "structured-pruning: random channels",
    ]
