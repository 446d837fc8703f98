"""What submodules give in a forward, in the hands of a strategy."""

import numpy as np
import pytest
import torch
from small_runs import SmallNet, make_run, outcome

from harness import PluginError, Strategy, hookimpl

FEATURES = ("conv", "norm")


class Keeps(Strategy):
    """Asks for features, and notes the shapes of what each pass gave."""

    name = "keeps"

    @hookimpl
    def setup(self, run):
        run.keep_features("conv")
        run.keep_features("norm", "conv")
        self.shapes = []

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        self.shapes.append({n: tuple(f.shape) for n, f in outputs.features.items()})


@pytest.fixture
def run(tmp_path):
    made = make_run(tmp_path)
    made.set_model(made.new_model())
    return made


def batch_of(run, n=6):
    return run.train.batch(np.arange(n))


def test_outputs_hold_what_the_submodules_gave(run):
    run.keep_features(*FEATURES)
    run.model.eval()
    batch = batch_of(run)
    outputs = run.forward(batch)
    conv = run.model.conv(batch.signals)
    assert set(outputs.features) == set(FEATURES)
    assert torch.equal(outputs.features["conv"], conv)
    assert torch.equal(outputs.features["norm"], run.model.norm(conv))


def test_features_are_those_of_their_own_forward(run):
    run.keep_features("conv")
    first = run.forward(batch_of(run))
    features = first.features["conv"]
    run.forward(batch_of(run, 9))
    run.model(batch_of(run, 2).signals)
    assert first.features["conv"] is features


def test_nothing_is_kept_that_nobody_asked_for(run):
    assert run.forward(batch_of(run)).features == {}


def test_gradients_flow_through_features(run):
    run.keep_features("conv")
    run.forward(batch_of(run)).features["conv"].square().mean().backward()
    assert run.model.conv.weight.grad.any()
    assert run.model.classifier.weight.grad is None


def test_every_pass_has_them(tmp_path):
    """Whole batches, their parts and scoring passes; asked for twice, kept once."""
    keeps = Keeps()
    run = make_run(tmp_path, keeps, epochs=1, records=16, batch_size=16, micro_batch=6)
    run.execute()
    run.score(batch_of(run, 4))
    rows = [shapes["conv"][0] for shapes in keeps.shapes]
    assert rows == [6, 6, 4, 4]
    for shapes, n in zip(keeps.shapes, rows, strict=True):
        assert shapes == {"conv": (n, 8, 32), "norm": (n, 8, 32)}


def test_keeping_features_changes_nothing_else(tmp_path):
    plain, keeping = make_run(tmp_path / "plain"), make_run(tmp_path / "kept", Keeps())
    for one in (plain, keeping):
        one.execute()
    before, after = outcome(plain), outcome(keeping)
    # Features are live for as long as outputs are.
    for found in (before, after):
        assert found["cost"].pop("peak_memory_bytes")
    assert after == before


def test_shapes_are_those_of_a_forward(run):
    run.keep_features(*FEATURES)
    found = run.forward(batch_of(run, 1)).features
    shapes = run.feature_shapes(*FEATURES)
    assert shapes == {name: tuple(found[name].shape[1:]) for name in FEATURES}
    assert shapes["conv"] == (8, 32)


def test_asking_for_shapes_costs_and_changes_nothing(run):
    before = {k: v.clone() for k, v in run.model.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    run.feature_shapes(*FEATURES)
    assert torch.equal(torch.rand(3), expected)
    assert run.model.training
    assert run.meter.samples_of().forward_samples == 0
    assert run.meter.training_flops() == 0
    assert all(torch.equal(v, before[k]) for k, v in run.model.state_dict().items())


class LooksAtValues(SmallNet):
    """Its code depends on values, which a network on the meta device has none of."""

    def forward(self, signals):
        if signals.sum() > 1e9:
            return super().forward(signals)
        return super().forward(signals * 2)


class Unused(SmallNet):
    """Has a layer that no forward calls, and one that gives two tensors."""

    def __init__(self):
        super().__init__()
        self.spare = torch.nn.Conv1d(2, 8, 3)
        self.recurrent = torch.nn.GRU(2, 3, batch_first=True)

    def forward(self, signals):
        self.recurrent(signals.transpose(1, 2))
        return super().forward(signals)


def test_a_network_that_looks_at_values_has_shapes_too(run):
    run.set_model(LooksAtValues())
    assert run.feature_shapes("conv") == {"conv": (8, 32)}


def kept_by_a_forward(run, *names):
    run.keep_features(*names)
    return run.forward(batch_of(run)).features


NO_FEATURES = [
    ("cnov", "Unused has no submodule 'cnov' to take features from"),
    ("classifier", r"'classifier' gives no features of shape .*, but \(\d, 3\)"),
    ("recurrent", "'recurrent' gives no features of shape .*, but tuple"),
    ("spare", "'spare' isn't called in a forward"),
]


@pytest.mark.parametrize(("name", "told"), NO_FEATURES)
def test_what_gives_no_features_is_told(run, name, told):
    run.set_model(Unused())
    with pytest.raises(PluginError, match=told):
        run.feature_shapes("conv", name)
    with pytest.raises(PluginError, match=told):
        kept_by_a_forward(run, "conv", name)


def test_a_submodule_that_is_not_there_is_told_at_once(run):
    with pytest.raises(PluginError, match="SmallNet has no submodule 'stages'"):
        run.keep_features("stages")
