"""The distillation backbone of Han et al. (CinC 2021 #80; Physiol. Meas. 2023, 44(5)
054003), as section B4 of the methods' notes describes it.
"""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

from harness import ConfigError
from harness.cost.sparsity import inference_macs

TINY = {"width": 0.25, "blocks": 1, "kernel": 5}
EVEN = {"width": 0.25, "blocks": 2, "kernel": 8, "stride": 3, "side_features": 0}

SUITE = """
name = "se"

[budget]
epochs = {epochs}
batch_size = 16

[[dataset]]
use = "synthetic"
records = {records}
duration = 2.0
{seconds}

[[model]]
use = "se_resnet"
{model}

[[strategy]]
use = "baseline"
"""


@pytest.fixture(scope="module")
def model(plugin):
    return plugin("models/se_resnet/__init__.py", "SEResNet")


@pytest.fixture(scope="module")
def network(model):
    """A function that builds a network, always from the same random state."""

    def build(leads=12, samples=1000, outputs=3, device="cpu", **params):
        torch.manual_seed(0)
        with torch.device(device):
            return model(model.Params(**params)).build(leads, samples, outputs)

    return build


def weights(network):
    return sum(parameter.numel() for parameter in network.parameters())


def seen(module):
    """Inputs and outputs of a module's calls from now on."""
    calls = []
    module.register_forward_hook(
        lambda module, inputs, output: calls.append((inputs[0], output))
    )
    return calls


def settled(network, leads):
    """The network with norms that are not the identity, in evaluation mode."""
    network.train()
    for _ in range(3):
        network(3 + 2 * torch.randn(8, leads, 200))
    return network.eval()


@pytest.mark.parametrize(
    ("leads", "side_features", "count"),
    [
        (12, 5, 1_811_474),
        (1, 5, 1_808_834),
        (12, 0, 1_811_474 - 5 * 3),
    ],
)
def test_b4_parameter_counts_at_three_outputs(network, leads, side_features, count):
    built = network(leads, side_features=side_features, device="meta")
    assert weights(built) == count
    assert built.head.weight.shape == (3, 128 + side_features)


def test_b4_multiply_adds_of_7500_samples(network):
    """About 0.67 billion."""
    found = inference_macs(network(), (12, 7500))
    assert found["dense_macs"] == pytest.approx(0.67e9, rel=5e-3)


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [
        (7500, [7500, 1875, 468, 117]),
        (5000, [5000, 1250, 312, 78]),
        (1000, [1000, 250, 62, 15]),
    ],
)
def test_b4_stage_lengths(network, samples, lengths):
    meta = network(device="meta")
    calls = [seen(meta.get_submodule(name)) for name in meta.features]
    meta(torch.empty(2, 12, samples, device="meta"))
    shapes = [call[0][1].shape for call in calls]
    channels = [16, 32, 64, 128]
    expected = [(2, *shape) for shape in zip(channels, lengths, strict=True)]
    assert shapes == expected


def test_b6_equal_weight_of_stages(network):
    """w_j L_j = 117.2, 117.2, 117, 117 at 7,500 samples with w = 1/64, 1/16, 1/4, 1."""
    meta = network(device="meta")
    calls = [seen(meta.get_submodule(name)) for name in meta.features]
    meta(torch.empty(1, 12, 7500, device="meta"))
    steps = [call[0][1].shape[-1] for call in calls]
    weighted = [n / 4 ** (3 - stage) for stage, n in enumerate(steps)]
    assert [round(w, 1) for w in weighted] == [117.2, 117.2, 117.0, 117.0]


def test_b4_layers(network):
    """Twelve blocks of two convolutions and a gate of two more, all without a bias."""
    meta = network(device="meta")
    blocks = [block for stage in meta.stages for block in stage]
    convolutions = [m for m in meta.modules() if isinstance(m, nn.Conv1d)]
    wide = [c for c in convolutions if c.kernel_size == (15,)]
    assert len(blocks) == 12
    assert [block.stride for block in blocks] == [*(1, 1, 1), *(4, 1, 1) * 3]
    assert len(wide) == 1 + 2 * 12
    assert len(convolutions) == len(wide) + 2 * 12
    assert all(c.bias is None for c in convolutions)
    squeezed = [block.gate.squeeze.out_channels for block in blocks]
    assert squeezed == [1] * 3 + [2] * 3 + [4] * 3 + [8] * 3
    dropouts = [m for m in meta.modules() if isinstance(m, nn.Dropout)]
    assert [d.p for d in dropouts] == [0.2] * 13


def test_the_squeeze_has_at_least_one_unit(network):
    narrow = network(device="meta", **TINY)
    assert narrow.stages[0][0].gate.squeeze.out_channels == 1


def test_b4_weights_start_normal_by_fan_in(network):
    """Variance 2 / fan-in of convolutions and linear layers, biases 0, norms 1."""
    fresh = network()
    kinds = {nn.Conv1d: 0, nn.Linear: 0, nn.BatchNorm1d: 0}
    for module in fresh.modules():
        kind = next((kind for kind in kinds if isinstance(module, kind)), None)
        if kind is None:
            continue
        kinds[kind] += 1
        if kind is nn.BatchNorm1d:
            assert (module.weight == 1).all()
        else:
            fan_in = module.weight[0].numel()
            spread = module.weight.detach().pow(2).mean() * fan_in / 2
            assert spread == pytest.approx(1, abs=7 / module.weight.numel() ** 0.5)
        if module.bias is not None:
            assert (module.bias == 0).all()
    assert list(kinds.values()) == [1 + 4 * 12, 1, 2 * 12 + 1]


def test_squeeze_and_excitation_of_a_hand_case(network):
    """Means 2 and -1: squeeze relu(2 + 1) = 3, gates sigmoid(3) and sigmoid(-6)."""
    gate = network(width=0.125, reduction=2).stages[0][0].gate
    with torch.no_grad():
        gate.squeeze.weight.copy_(torch.tensor([[[1.0], [-1.0]]]))
        gate.excite.weight.copy_(torch.tensor([[[1.0]], [[-2.0]]]))
        steps = torch.tensor([[[1.0, 2.0, 3.0], [0.0, -1.0, -2.0]]])
        expected = steps * torch.sigmoid(torch.tensor([[[3.0], [-6.0]]]))
        torch.testing.assert_close(gate(steps), expected)
        padded = functional.pad(steps, (0, 5))
        found = gate(padded, torch.tensor([3]))
        torch.testing.assert_close(found, functional.pad(expected, (0, 5)))
        gate.squeeze.weight.neg_()
        torch.testing.assert_close(gate(steps), steps / 2)


def without_branch(block):
    """The block with a branch of nothing, so that only its shortcut is left."""
    nn.init.zeros_(block.conv2.weight)
    return block.eval()


def test_b4_only_the_very_first_shortcut_is_activated(network):
    fresh = network(width=0.25, blocks=2)
    norm = fresh.stages[0][0].norm1
    nn.init.constant_(norm.bias, 0.5)
    steps = torch.randn(2, 4, 40)
    first, second = (without_branch(block) for block in fresh.stages[0])
    torch.testing.assert_close(first(steps), torch.relu(norm(steps)))
    assert torch.equal(second(steps), steps)


def test_b4_a_shortcut_is_max_pooled_and_gets_channels_of_zeros(network):
    """11 steps by 4: two whole windows; 4 channels to 8: two of zeros on each side."""
    block = without_branch(network(width=0.25).stages[1][0])
    steps = torch.randn(2, 4, 11)
    out = block(steps)
    assert out.shape == (2, 8, 2)
    assert torch.equal(out[:, 2:6, 0], steps[..., :4].amax(-1))
    assert torch.equal(out[:, 2:6, 1], steps[..., 4:8].amax(-1))
    assert (out[:, [0, 1, 6, 7]] == 0).all()


def test_b4_a_branch_is_two_preactivated_convolutions_and_the_gate(network):
    block = network(width=0.25, dropout=0.5).stages[1][0].eval()
    steps = torch.randn(2, 4, 22)
    # Kernel 15 and stride 4: 11 zeros, five on the left. Fresh norms only scale.
    scale = (1 + block.norm1.eps) ** -0.5
    out = functional.pad(torch.relu(steps * scale), (5, 6))
    out = functional.conv1d(out, block.conv1.weight, stride=4)
    out = functional.pad(torch.relu(out * scale), (7, 7))
    out = functional.conv1d(out, block.conv2.weight)
    expected = block.gate(out) + block.shortcut(steps)
    torch.testing.assert_close(block(steps), expected)


def test_b4_features_are_raw_sums(network):
    """Before the next norm and ReLU: they have negative values."""
    fresh = network(leads=2, **TINY).eval()
    calls = [seen(fresh.get_submodule(name)) for name in fresh.features]
    fresh(torch.randn(4, 2, 400))
    assert all((call[0][1] < 0).any() for call in calls)


def test_b4_the_head_takes_the_maximum_over_time_and_side_features(network):
    fresh = settled(network(leads=2, **TINY), leads=2)
    last, head = seen(fresh.stages[-1]), seen(fresh.head)
    side = torch.tensor([[0.4, 1.0, 0.0, 0.0, 0.0], [0.6037, 0.47, 0.53, 1.0, 1.0]])
    fresh(torch.randn(2, 2, 300), None, side)
    maxima = torch.relu(fresh.norm(last[0][1])).amax(-1)
    assert maxima.shape == (2, 32)
    assert torch.equal(head[0][0], torch.cat([maxima, side], dim=1))


def test_side_features_that_are_not_handed_over_are_zeros(network):
    fresh = settled(network(leads=2, **TINY), leads=2)
    signals = torch.randn(3, 2, 300)
    zeros, ones = torch.zeros(3, 5), torch.ones(3, 5)
    assert torch.equal(fresh(signals), fresh(signals, side=zeros))
    added = fresh.head.weight[:, 32:].sum(1).expand(3, 3)
    torch.testing.assert_close(fresh(signals, side=ones) - fresh(signals), added)


@pytest.mark.parametrize("shape", [(3, 4), (2, 5), (5,)])
def test_side_features_of_another_shape_are_refused(network, shape):
    fresh = network(leads=2, **TINY).eval()
    with pytest.raises(ConfigError, match=r"\(3, 5\).*side_features = 5"):
        fresh(torch.randn(3, 2, 300), side=torch.zeros(shape))


def test_the_preset_small_has_less_than_250_thousand_weights(model, network):
    small = network(device="meta", **model.presets["small"].params)
    assert weights(small) == 175_074
    assert "175,074" in model.presets["small"].about


@pytest.mark.parametrize(
    ("width", "channels"), [(2.0, 32), (0.5, 8), (0.0625, 1), (0.7, 11)]
)
def test_width_multiplies_all_channels(network, width, channels):
    meta = network(device="meta", width=width, blocks=1)
    found = [stage[0].conv2.out_channels for stage in meta.stages]
    assert meta.stem.out_channels == channels
    assert found == [channels * 2**stage for stage in range(4)]


@given(
    leads=st.integers(1, 15),
    samples=st.integers(1, 400),
    outputs=st.integers(1, 6),
    batch=st.integers(1, 2),
    params=st.sampled_from([TINY, EVEN]),
)
@settings(max_examples=15, deadline=None)
def test_any_number_of_leads_and_samples(
    network, leads, samples, outputs, batch, params
):
    model = network(leads, samples, outputs, **params).eval()
    logits = model(torch.randn(batch, leads, samples))
    assert logits.shape == (batch, outputs)
    assert torch.isfinite(logits).all()


@given(
    samples=st.integers(1, 300),
    padding=st.integers(0, 100),
    params=st.sampled_from([TINY, EVEN]),
)
@settings(max_examples=25, deadline=None)
def test_padding_changes_nothing(network, samples, padding, params):
    model = settled(network(leads=2, **params), leads=2)
    signal = torch.randn(1, 2, samples)
    padded = torch.full((2, 2, samples + padding), 7.0)
    padded[:1, :, :samples] = signal
    beside = model(padded, torch.tensor([samples, samples + padding]))[0]
    torch.testing.assert_close(beside, model(signal)[0], atol=1e-4, rtol=1e-4)


def test_features_of_a_padded_record_are_its_own_and_then_zeros(network):
    """129 steps become 129, 32, 8 and 2: the last of the 129 is in no window."""
    model = settled(network(leads=2, **TINY), leads=2)
    calls = [seen(model.get_submodule(name)) for name in model.features]
    signals = torch.randn(2, 2, 300)
    model(signals[:1, :, :129])
    model(signals, torch.tensor([129, 300]))
    for ((_, alone), (_, beside)), steps in zip(calls, [129, 32, 8, 2], strict=True):
        assert alone.shape[-1] == steps
        torch.testing.assert_close(beside[:1, :, :steps], alone, atol=1e-4, rtol=1e-4)
        assert (beside[0, :, steps:] == 0).all()


def test_gradients_reach_every_parameter(network):
    model = network(**TINY).train()
    model(torch.randn(4, 12, 300), side=torch.rand(4, 5)).square().sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


def test_one_record_of_128_samples_is_a_batch_to_train_on(network):
    """Two steps remain in the last stage, which batch norm can average over."""
    model = network(**TINY).train()
    assert torch.isfinite(model(torch.randn(1, 12, 128))).all()


def test_features_and_classifier_are_modules(network):
    model = network(outputs=4, **TINY)
    names = dict(model.named_modules())
    assert model.features == ("stages.0", "stages.1", "stages.2", "stages.3")
    assert set(model.features) <= set(names)
    assert names[model.classifier].weight.shape == (4, 32 + 5)


def test_the_seed_decides_the_start(network):
    first, second = network(**TINY), network(**TINY)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "params",
    [
        {"width": 0.0},
        {"blocks": 0},
        {"dropout": 1.0},
        {"side_features": -1},
        {"side": True},
    ],
)
def test_nonsense_is_refused(network, params):
    with pytest.raises(ValidationError):
        network(**params)


def test_a_kernel_shorter_than_the_stride_is_refused(network):
    with pytest.raises(ValidationError, match="kernel = 3 skips samples"):
        network(kernel=3)


def test_kernels_are_deterministic_under_mixed_precision(network, torch_as_before):
    torch.use_deterministic_algorithms(mode=True)
    signals, lengths = torch.randn(3, 12, 160), torch.tensor([160, 100, 7])
    gradients = []
    for _ in range(2):
        model = network(**TINY).train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(signals, lengths)
        logits.float().square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_it_is_shown_with_its_parameters(harness):
    ended = harness("show", "se_resnet")
    assert ended.code == 0
    assert ended.out.startswith("model se_resnet, version 1\n")
    assert "Physiol. Meas." in ended.out
    for name in ("width", "blocks", "kernel", "stride", "reduction", "side_features"):
        assert f"\n{name} " in ended.out


def trained(harness, folder, **fields):
    """How a suite of one cell on generated records ended, run in this folder."""
    blank = {"epochs": 1, "records": 60, "seconds": "", "model": ""}
    (folder / "suite.toml").write_text(SUITE.format(**(blank | fields)))
    return harness(
        *("run", folder / "suite.toml", "--device", "cpu"),
        *("--runs", folder / "runs", "--leaderboard", folder / "leaderboard"),
    )


@pytest.mark.usefixtures("torch_as_before")
@pytest.mark.parametrize("seconds", ["", 'seconds = "whole"'])
def test_the_preset_small_trains_through_the_harness(harness, tmp_path, seconds):
    ended = trained(
        harness, tmp_path, epochs=2, seconds=seconds, model='preset = "small"'
    )
    assert ended.code == 0, ended.out + ended.err
    (result,) = (tmp_path / "runs").rglob("result.json")
    rows = (result.parent / "history.jsonl").read_text().splitlines()
    cost = json.loads(result.read_text())["cost"]
    assert [json.loads(row)["epoch"] for row in rows] == [0, 1]
    assert cost["audit"]["status"] == "passed"
    assert cost["effective_epochs"] == 2


@pytest.mark.usefixtures("torch_as_before")
def test_the_whole_network_trains_through_the_harness(harness, tmp_path):
    """All 1.8 million weights for two steps, on records of 12 x 200 samples."""
    ended = trained(harness, tmp_path, records=40)
    assert ended.code == 0, ended.out + ended.err
    (result,) = (tmp_path / "runs").rglob("result.json")
    cost = json.loads(result.read_text())["cost"]
    assert cost["audit"]["status"] == "passed"


def test_a_kernel_too_short_is_told_in_a_suite(harness, tmp_path):
    ended = trained(harness, tmp_path, model="kernel = 3")
    assert ended.code != 0
    assert "kernel = 3 skips samples" in ended.out + ended.err
    assert "Traceback" not in ended.out + ended.err
