import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

# The 34-layer network of Hannun et al. 2019 (doi 10.1038/s41591-018-0268-3).
CINC2017 = {
    "width": 32,
    "blocks": 4,
    "kernel": 16,
    "stem_kernel": 16,
    "stem_stride": 1,
    "strides": "alternate",
    "shortcut": "zero-pad",
    "bias": True,
    "dropout_unit": "value",
    "head_dropout": 0.0,
    "head": "steps",
}
SMALL = {"width": 4, "kernel": 3}
VARIANTS = [
    ("resnet1d", {}),
    ("resnet1d", {"head": "steps", "kernel": 4}),
    ("resnet1d", CINC2017 | SMALL),
    ("resnet1d", {"strides": "alternate", "blocks": 3, "stem_stride": 3}),
    ("cnn1d", {}),
    ("cnn1d", {"kernel": 4}),
]


@pytest.fixture(scope="module")
def network(plugin):
    """A function that builds a network by name, in evaluation mode."""
    classes = {
        "resnet1d": plugin("models/resnet1d/__init__.py", "ResNet1d"),
        "cnn1d": plugin("models/cnn1d/__init__.py", "CNN1d"),
    }

    def build(name, params, leads=12, samples=1000, outputs=5):
        model = classes[name]
        torch.manual_seed(0)
        return model(model.Params(**params)).build(leads, samples, outputs).eval()

    return build


def weights(network):
    return sum(parameter.numel() for parameter in network.parameters())


def settled(network, leads):
    """The network with norms that are not the identity."""
    network.train()
    for _ in range(3):
        network(3 + 2 * torch.randn(8, leads, 200))
    return network.eval()


def test_the_cinc2017_network_has_the_published_size(network):
    """Counts of the reference network, computed from its published layers."""
    with torch.device("meta"):
        model = network("resnet1d", CINC2017, leads=1, samples=8960, outputs=4)
        with FlopCounterMode(display=False) as counter:
            logits = model(torch.empty(1, 1, 8960))
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv1d)]
    assert weights(model) == 10_466_212
    assert len(convolutions) == 34
    assert sum(c.weight.numel() for c in convolutions) == 10_454_528
    assert counter.get_total_flops() / 2e9 == pytest.approx(2.427, abs=5e-4)
    assert logits.shape == (1, 4, 35)


@pytest.mark.parametrize(
    ("name", "params", "low", "high"),
    [
        ("resnet1d", {}, 2e5, 6e5),
        ("resnet1d", {"width": 4, "kernel": 5}, 1.5e4, 3e4),
        ("cnn1d", {}, 2e4, 6e4),
    ],
)
def test_sizes(network, name, params, low, high):
    assert low < weights(network(name, params)) < high


@pytest.mark.parametrize(("name", "params"), VARIANTS)
@given(
    leads=st.integers(1, 15),
    samples=st.integers(1, 400),
    outputs=st.integers(1, 6),
    batch=st.integers(1, 2),
)
@settings(max_examples=8, deadline=None)
def test_any_number_of_leads_and_samples(
    network, name, params, leads, samples, outputs, batch
):
    model = network(name, params, leads, samples, outputs)
    logits = model(torch.randn(batch, leads, samples))
    assert logits.shape[:2] == (batch, outputs)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("name", "params"), VARIANTS)
@given(samples=st.integers(1, 300), padding=st.integers(0, 100))
@settings(max_examples=8, deadline=None)
def test_padding_changes_nothing(network, name, params, samples, padding):
    model = settled(network(name, params, leads=2), leads=2)
    signal = torch.randn(1, 2, samples)
    padded = torch.full((2, 2, samples + padding), 7.0)
    padded[:1, :, :samples] = signal
    alone = model(signal)[0]
    beside = model(padded, torch.tensor([samples, samples + padding]))[0]
    if alone.ndim == 2:
        beside = beside[:, : alone.shape[1]]
    torch.testing.assert_close(beside, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_gradients_reach_every_parameter(network, name, params):
    model = network(name, params).train()
    model(torch.randn(4, 12, 300)).square().sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_features_and_classifier_are_modules(network, name, params):
    model = network(name, params)
    shapes = []
    for feature in model.features:
        model.get_submodule(feature).register_forward_hook(
            lambda module, inputs, output: shapes.append(output.shape)
        )
    model(torch.randn(2, 12, 300))
    assert len(shapes) == len(model.features) >= 4
    lengths = [shape[2] for shape in shapes]
    assert lengths == sorted(lengths, reverse=True)
    assert model.get_submodule(model.classifier).weight.shape[0] == 5


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_the_seed_decides_the_start(network, name, params):
    first, second = network(name, params), network(name, params)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_meta_device(network, name, params):
    with torch.device("meta"):
        model = network(name, params)
        assert model(torch.empty(2, 12, 1000)).device.type == "meta"


@pytest.mark.parametrize("params", [{"width": 0}, {"head": "none"}, {"depth": 3}])
def test_nonsense_is_refused(network, params):
    with pytest.raises(ValidationError):
        network("resnet1d", params)
