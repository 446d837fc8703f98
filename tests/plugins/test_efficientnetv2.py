"""EfficientNetV2-S as Tan & Le 2021 (arXiv 2104.00298) and section A11 of the methods'
notes describe it.
"""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

IMAGE, ONE_D = {"form": "image"}, {"form": "1d"}
SMALL = {"width": 0.2, "depth": 0.2, "head_width": 64}
FORMS = pytest.mark.parametrize("form", ["image", "1d"])

SUITE = """
name = "efficient"

[budget]
epochs = {epochs}
batch_size = 16

[[dataset]]
use = "synthetic"
records = {records}
duration = {duration}
{seconds}

[[model]]
use = "efficientnetv2"
{model}

[[strategy]]
use = "baseline"
"""


@pytest.fixture(scope="module")
def model(plugin):
    return plugin("models/efficientnetv2/__init__.py", "EfficientNetV2")


@pytest.fixture(scope="module")
def network(model):
    """A function that builds a network, always from the same random state."""

    def build(leads=12, samples=1000, outputs=5, device="cpu", **params):
        torch.manual_seed(0)
        with torch.device(device):
            return model(model.Params(**params)).build(leads, samples, outputs)

    return build


def weights(network):
    return sum(parameter.numel() for parameter in network.parameters())


def shapes(network, names, signals):
    """Shapes of the outputs of submodules, without the batch."""
    seen = []
    for name in names:
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output: seen.append(tuple(output.shape[1:]))
        )
    network(signals)
    return seen


def settled(network, leads):
    """The network with norms that are not the identity, in evaluation mode."""
    network.train()
    for _ in range(3):
        network(3 + 2 * torch.randn(8, leads, 200))
    return network.eval()


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({}, 20_341_669),
        (IMAGE, 20_341_669),
        (ONE_D, 19_603_117),
        (ONE_D | SMALL, 167_933),
        (IMAGE | SMALL, 183_365),
    ],
)
def test_a11_parameter_counts_at_five_outputs(network, params, count):
    """Section A11 gives the image form's; the others were counted on this network."""
    assert weights(network(device="meta", **params)) == count


def test_a11_the_features_are_those_of_a_thousand_classes_without_their_head(network):
    """Those of torchvision's documentation, 21,458,488 in all, with one input channel
    in place of three and without the head of 1,000 classes.
    """
    image = network(device="meta")
    features = weights(image) - weights(image.hidden) - weights(image.head)
    assert features == 21_458_488 - 1_281_000 - 2 * 24 * 9


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (
            IMAGE,
            [
                (24, 16, 500),
                (24, 16, 500),
                (48, 8, 250),
                (64, 4, 125),
                (128, 2, 63),
                (160, 2, 63),
                (256, 1, 32),
                (1280, 1, 32),
            ],
        ),
        (
            ONE_D,
            [
                (24, 500),
                (24, 500),
                (48, 250),
                (64, 125),
                (128, 63),
                (160, 63),
                (256, 32),
                (1280, 32),
            ],
        ),
    ],
)
def test_a11_maps_of_twelve_leads_and_a_thousand_samples(network, params, expected):
    meta = network(device="meta", **params)
    names = ("stem", *meta.features, "last")
    signals = torch.empty(2, 12, 1000, device="meta")
    assert shapes(meta, names, signals) == expected


def test_table_4_of_the_paper(network):
    """Blocks, widths and kinds of the stages of EfficientNetV2-S."""
    meta = network(device="meta")
    stages = [meta.get_submodule(name) for name in meta.features]
    convolutions = [
        [m for m in stage[-1].modules() if isinstance(m, nn.Conv2d)] for stage in stages
    ]
    assert [len(stage) for stage in stages] == [2, 4, 4, 6, 9, 15]
    # A 3x3 alone, 3x3 and 1x1, or 1x1, depthwise, two of the squeeze, 1x1.
    assert [len(found) for found in convolutions] == [1, 2, 2, 5, 5, 5]
    assert [found[0].out_channels for found in convolutions] == [
        *(24, 4 * 48, 4 * 64),
        *(4 * 128, 6 * 160, 6 * 256),
    ]
    squeezed = [found[2].out_channels for found in convolutions[3:]]
    assert squeezed == [128 // 4, 160 // 4, 256 // 4]
    assert [found[1].groups for found in convolutions[3:]] == [512, 960, 1536]
    norms = [m for m in meta.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {1e-3}


@pytest.mark.parametrize(
    ("leads", "above", "rows"), [(12, 10, 32), (1, 15, 32), (3, 14, 32), (40, 0, 40)]
)
def test_a11_leads_are_padded_to_32_rows_half_of_them_above(
    network, leads, above, rows
):
    """Twelve leads get 10 rows of zeros on either side."""
    image = network(leads=leads, **IMAGE, **SMALL).eval()
    given_to = []
    image.stem.register_forward_pre_hook(lambda _, inputs: given_to.append(inputs[0]))
    signals = torch.randn(2, leads, 64)
    image(signals)
    (picture,) = given_to
    assert picture.shape == (2, 1, rows, 64)
    assert torch.equal(picture[:, 0, above : above + leads], signals)
    assert picture.count_nonzero() == signals.count_nonzero()


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (1.0, [24, 48, 64, 128, 160, 256, 1280]),
        (0.5, [16, 24, 32, 64, 80, 128, 640]),
        (0.2, [8, 16, 16, 24, 32, 48, 256]),
        (1.1, [24, 56, 72, 144, 176, 280, 1408]),
    ],
)
def test_widths_are_multiples_of_8_and_at_least_nine_tenths_of_asked(
    network, width, expected
):
    """The rounding of EfficientNet (Tan & Le 2019, arXiv 1905.11946)."""
    meta = network(device="meta", form="1d", width=width)
    names = (*meta.features, "last")
    found = shapes(meta, names, torch.empty(1, 12, 100, device="meta"))
    assert [channels for channels, _ in found] == expected


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (0.1, [1, 1, 1, 1, 1, 2]),
        (0.5, [1, 2, 2, 3, 5, 8]),
        (2.0, [4, 8, 8, 12, 18, 30]),
    ],
)
def test_blocks_are_rounded_up(network, depth, expected):
    meta = network(device="meta", form="1d", depth=depth)
    assert [len(meta.get_submodule(name)) for name in meta.features] == expected


def dropped_shares(network, signals):
    """What each block with a way round it did to its records in training.

    By block: True for a record whose branch was zeroed.
    """
    seen = []
    for name in network.features:
        for block in network.get_submodule(name):
            if block.around:
                block.drop.register_forward_hook(
                    lambda module, inputs, output: seen.append(
                        (output.flatten(1) == 0).all(1)
                    )
                )
    network.train()(signals)
    return torch.stack(seen)


def test_stochastic_depth_grows_linearly_and_drops_whole_records(network):
    """Huang et al. 2016 (arXiv 1603.09382), section 3; the i-th of n blocks, from 0."""
    deep = network(leads=2, form="1d", width=0.2, stochastic_depth=0.8)
    shares = dropped_shares(deep, torch.randn(800, 2, 64)).float().mean(1)
    # The first blocks of stages 2, 3, 4, 5 and 6 change the shape.
    kept_shape = [i for i in range(40) if i not in (2, 6, 10, 16, 25)]
    expected = torch.tensor([0.8 * i / 40 for i in kept_shape])
    assert shares.shape == expected.shape
    assert (shares - expected).abs().max() < 0.08
    assert shares[0] == 0


def test_stochastic_depth_keeps_the_mean_of_what_it_drops(network):
    drop = network(**ONE_D).stages[5][14].drop.train()
    branch = torch.ones(4000, 3, 5)
    out = drop(branch)
    rate = 0.2 * 39 / 40
    assert out.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    assert (out.amax((1, 2)) == out.amin((1, 2))).all()
    assert out.mean() == pytest.approx(1, abs=0.04)
    assert torch.equal(drop.eval()(branch), branch)


def test_chance_comes_from_the_global_random_state_alone(network):
    deep = network(**ONE_D, **SMALL, stochastic_depth=0.5, dropout=0.0).train()
    signals = torch.randn(8, 12, 200)
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(deep(signals))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    sober = network(**ONE_D, **SMALL, stochastic_depth=0.0, dropout=0.0).train()
    assert torch.equal(sober(signals), sober(signals))


@FORMS
def test_weights_start_as_published(network, form):
    """Convolutions normal with variance 2 / fan-out, linear layers uniform within
    1 / sqrt(outputs), biases 0, norms the identity.
    """
    fresh = network(form=form)
    for module in fresh.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            fan_out = module.weight.shape[0] * module.weight[0, 0].numel()
            spread = module.weight.detach().pow(2).mean() * fan_out / 2
            assert spread == pytest.approx(1, abs=7 / module.weight.numel() ** 0.5)
        elif isinstance(module, nn.Linear):
            bound = module.out_features**-0.5
            assert 0.95 * bound < module.weight.abs().max() <= bound
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert (module.weight == 1).all()
        if getattr(module, "bias", None) is not None:
            assert (module.bias == 0).all()


@FORMS
def test_the_seed_decides_the_start(network, form):
    first, second = network(form=form, **SMALL), network(form=form, **SMALL)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("params", [IMAGE, ONE_D | SMALL])
def test_one_record_is_a_batch_to_train_on(network, params):
    """Section A11: 32 positions remain, which batch norm can average over."""
    network = network(**params).train()
    loss = nn.functional.cross_entropy(
        network(torch.randn(1, 12, 1000)), torch.tensor([3])
    )
    loss.backward()
    assert torch.isfinite(loss)
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


@FORMS
@given(
    leads=st.integers(1, 40),
    samples=st.integers(1, 400),
    outputs=st.integers(1, 6),
    batch=st.integers(1, 2),
)
@settings(max_examples=8, deadline=None)
def test_any_number_of_leads_and_samples(network, form, leads, samples, outputs, batch):
    model = network(leads, samples, outputs, form=form, **SMALL).eval()
    logits = model(torch.randn(batch, leads, samples))
    assert logits.shape == (batch, outputs)
    assert torch.isfinite(logits).all()


@FORMS
@given(samples=st.integers(1, 300), padding=st.integers(0, 100))
@settings(max_examples=8, deadline=None)
def test_padding_changes_nothing(network, form, samples, padding):
    model = settled(network(leads=2, form=form, **SMALL), leads=2)
    signal = torch.randn(1, 2, samples)
    padded = torch.full((2, 2, samples + padding), 7.0)
    padded[:1, :, :samples] = signal
    beside = model(padded, torch.tensor([samples, samples + padding]))[0]
    torch.testing.assert_close(beside, model(signal)[0], atol=1e-4, rtol=1e-4)


@FORMS
def test_features_and_classifier_are_modules(network, form):
    model = network(outputs=4, form=form, **SMALL)
    names = dict(model.named_modules())
    assert len(model.features) == 6
    assert set(model.features) <= set(names)
    assert names[model.classifier].weight.shape == (4, 64)


@pytest.mark.parametrize(
    "params",
    [{"form": "2d"}, {"width": 0.0}, {"depth": 9.0}, {"dropout": 1.0}, {"se": 0.25}],
)
def test_nonsense_is_refused(network, params):
    with pytest.raises(ValidationError):
        network(**params)


@pytest.mark.parametrize("form", ["image", "1d"])
def test_kernels_are_deterministic_under_mixed_precision(
    network, form, torch_as_before
):
    torch.use_deterministic_algorithms(mode=True)
    signals, lengths = torch.randn(3, 12, 160), torch.tensor([160, 100, 7])
    gradients = []
    for _ in range(2):
        model = network(form=form, **SMALL).train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(signals, lengths)
        logits.float().square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_it_is_shown_with_its_parameters(harness):
    ended = harness("show", "efficientnetv2")
    assert ended.code == 0
    assert ended.out.startswith("model efficientnetv2, version 1\n")
    assert "arXiv 2104.00298" in ended.out
    row = next(line for line in ended.out.splitlines() if line.startswith("form "))
    assert '"image" | "1d"' in row
    for name in ("width", "depth", "stochastic_depth", "head_width", "dropout"):
        assert f"\n{name} " in ended.out


def trained(harness, folder, **fields):
    """The result of a suite of one cell that is run on generated records."""
    blank = {"epochs": 1, "records": 60, "duration": 2.0, "seconds": "", "model": ""}
    (folder / "suite.toml").write_text(SUITE.format(**(blank | fields)))
    ended = harness(
        *("run", folder / "suite.toml", "--device", "cpu"),
        *("--runs", folder / "runs", "--leaderboard", folder / "leaderboard"),
    )
    assert ended.code == 0, ended.out + ended.err
    (result,) = (folder / "runs").rglob("result.json")
    history = (result.parent / "history.jsonl").read_text().splitlines()
    return json.loads(result.read_text()), [json.loads(line) for line in history]


@pytest.mark.usefixtures("torch_as_before")
@pytest.mark.parametrize("seconds", ["", 'seconds = "whole"'])
def test_the_preset_small_trains_through_the_harness(harness, tmp_path, seconds):
    result, history = trained(
        harness, tmp_path, epochs=2, seconds=seconds, model='preset = "small"'
    )
    assert [row["epoch"] for row in history] == [0, 1]
    assert result["cost"]["audit"]["status"] == "passed"
    assert result["cost"]["effective_epochs"] == 2


@pytest.mark.usefixtures("torch_as_before")
def test_the_whole_image_form_trains_through_the_harness(harness, tmp_path):
    """All 20 million weights for two steps, on records of 12 x 200 samples."""
    result, history = trained(harness, tmp_path, records=40)
    assert history[0]["steps"] == 2
    assert result["cost"]["audit"]["status"] == "passed"
