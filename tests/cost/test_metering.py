"""Samples and FLOPs by the hooks: against figures worked out by hand."""

import copy
import json

import pytest
import torch
from small_net import BATCH, LEADS, SmallNet, backward_macs, forward_macs
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import prune
from torch.utils.checkpoint import checkpoint

from harness.cost.meter import Meter


def train_step(net, batch):
    signals, labels = batch
    cross_entropy(net(signals), labels).backward()


def test_a_training_step_counts_forward_and_backward(meter, net, batch):
    with meter.step("train"):
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["forward_samples"] == summary["backward_samples"] == BATCH
    assert summary["effective_epochs"] == summary["forward_epochs"] == BATCH / 32
    assert summary["flops"]["forward"] == 2 * forward_macs() * BATCH
    assert summary["flops"]["backward"] == 2 * backward_macs() * BATCH
    assert summary["flops"]["training"] == 2 * BATCH * (
        forward_macs() + backward_macs()
    )
    assert summary["compute_epochs"] == pytest.approx(BATCH / 32)
    assert summary["not_counted"] == []


def test_a_scoring_pass_counts_forward_only(meter, net, batch):
    net.eval()
    with meter.step("train"), torch.no_grad():
        net(batch[0])
    counts = meter.samples_of()
    assert (counts.forward_samples, counts.backward_samples) == (BATCH, 0)
    flops = meter.summary(net)["flops"]
    assert (flops["forward"], flops["backward"]) == (2 * forward_macs() * BATCH, 0)


def test_two_pass_dropping_costs_what_the_cost_model_says(meter, net, batch):
    """Scored 8, trained on 2: CE N = (8 + 2 + 2b) / (1 + b)."""
    signals, labels = batch
    with meter.step("train"):
        with torch.no_grad():
            net(signals)
        train_step(net, (signals[:2], labels[:2]))
    ratio = backward_macs() / forward_macs()
    expected = (8 + 2 + 2 * ratio) / (1 + ratio) / 32
    assert meter.summary(net)["compute_epochs"] == pytest.approx(expected)


def test_masking_the_loss_saves_nothing(meter, net, batch):
    signals, labels = batch
    with meter.step("train"):
        losses = cross_entropy(net(signals), labels, reduction="none")
        (losses * (torch.arange(BATCH) < 2)).sum().backward()
    assert meter.samples_of().backward_samples == BATCH
    assert meter.summary(net)["audit"]["status"] == "passed"


def test_freezing_is_noticed(meter, net, batch):
    for parameter in [*net.stem.parameters(), *net.norm.parameters()]:
        parameter.requires_grad_(False)
    with meter.step("train"):
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["flops"]["backward"] < 2 * backward_macs() * BATCH
    assert summary["audit"]["status"] == "passed"
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    with meter.step("train"):
        train_step(net, batch)
    assert meter.summary(net)["audit"]["largest_difference"] == 0


def test_a_gradient_for_the_input_is_noticed(meter, net, batch):
    signals = batch[0].clone().requires_grad_()
    with meter.step("train"):
        train_step(net, (signals, batch[1]))
    summary = meter.summary(net)
    assert summary["flops"]["backward"] == 2 * 2 * forward_macs() * BATCH
    assert summary["audit"]["status"] == "passed"


def test_records_of_different_length_have_their_own_cost(meter, net):
    with meter.step("train"):
        for samples in (64, 128):
            net(torch.randn(2, LEADS, samples), lengths=torch.tensor([50, 60]))
    expected = 2 * 2 * (forward_macs() + forward_macs(samples=128))
    assert meter.summary(net)["flops"]["forward"] == expected


def test_a_teacher_counts_forward_but_not_as_effective_epochs(meter, net, batch):
    teacher = SmallNet(16).eval().requires_grad_(False)
    meter.watch("teacher", teacher)
    with meter.step("train"):
        teacher(batch[0])
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["forward_samples"] == 2 * BATCH
    assert summary["backward_samples"] == BATCH
    teachers = {"forward": 2 * forward_macs(16) * BATCH, "backward": 0}
    assert summary["flops"]["by_module"]["teacher"] == teachers
    assert summary["audit"]["status"] == "passed"


def test_an_adapters_input_is_no_sample_of_its_own(meter, net, batch):
    adapter = nn.Linear(8, 8)
    meter.watch("adapter", adapter, whole=False)
    with meter.step("train"):
        loss = adapter(net.features(batch[0]).mean(-1)).sum()
        (loss + net(batch[0]).sum()).backward()
    summary = meter.summary(net)
    assert summary["forward_samples"] == BATCH
    assert summary["flops"]["by_module"]["adapter"]["forward"] == 2 * 64 * BATCH


def test_a_module_inside_a_watched_one_is_not_counted_twice(meter, net, batch):
    meter.watch("head", net.head, whole=False)
    with meter.step("train"):
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["flops"]["forward"] == 2 * forward_macs() * BATCH
    assert summary["audit"]["status"] == "passed"


def test_a_replaced_head_is_noticed(meter, net, batch):
    with meter.step("train"):
        train_step(net, batch)
    with meter.outside("epoch_end"):
        net.head = nn.Sequential(nn.Linear(8, 512), nn.Linear(512, 4))
    with meter.step("train"):
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["audit"]["status"] == "passed"
    assert summary["flops"]["forward"] > 2 * 2 * forward_macs() * BATCH


def test_evaluation_is_kept_apart(meter, net, batch):
    with meter.outside("train"), meter.paused(), torch.no_grad():
        net(batch[0])
    summary = meter.summary(net)
    assert summary["forward_samples"] == 0
    assert summary["flops"]["training"] == 0
    assert summary["flops"]["evaluation"] == 2 * forward_macs() * BATCH


def test_a_second_backward_through_one_forward_costs_again(meter, net, batch):
    with meter.step("train"):
        loss = cross_entropy(net(batch[0]), batch[1])
        loss.backward(retain_graph=True)
        loss.backward()
    summary = meter.summary(net)
    assert summary["backward_samples"] == 2 * BATCH
    assert summary["audit"]["status"] == "passed"


class Checkpointed(SmallNet):
    def features(self, signals):
        return checkpoint(super().features, signals, use_reentrant=False)


def test_recomputation_inside_the_module_is_part_of_its_backward(batch):
    net = Checkpointed()
    meter = Meter(8, torch.device("cpu"), 0)
    meter.watch("model", net)
    with meter.step("train"):
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["audit"]["largest_difference"] == 0
    assert summary["flops"]["backward"] > 2 * backward_macs() * BATCH
    assert summary["backward_samples"] == BATCH


class TwoHeads(SmallNet):
    def forward(self, signals, lengths=None):
        hidden = self.features(signals).mean(-1)
        return {"logits": self.head(hidden), "features": (hidden,)}


def test_several_outputs_count_one_backward(batch):
    net = TwoHeads()
    meter = Meter(8, torch.device("cpu"), 0)
    meter.watch("model", net)
    with meter.step("train"):
        out = net(batch[0])
        (out["logits"].sum() + out["features"][0].sum()).backward()
    assert meter.samples_of().backward_samples == BATCH
    assert meter.summary(net)["audit"]["status"] == "passed"


def test_autocast_changes_no_count(meter, net, batch):
    with meter.step("train"), torch.autocast("cpu", dtype=torch.bfloat16):
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["flops"]["forward"] == 2 * forward_macs() * BATCH
    assert summary["audit"]["largest_difference"] == 0


def test_watching_again_replaces(meter, net, batch):
    meter.watch("model", net)
    with meter.step("train"):
        train_step(net, batch)
    assert meter.samples_of().forward_samples == BATCH
    meter.unwatch("model")
    net(batch[0])
    assert meter.samples_of().forward_samples == BATCH


def test_a_module_is_as_it_was_but_for_the_hook(net, batch):
    before = list(net.state_dict())
    meter = Meter(8, torch.device("cpu"), 0)
    meter.watch("model", net)
    random_state = torch.get_rng_state()
    with meter.step("train"), torch.no_grad():
        net.eval()(batch[0])
    assert list(net.state_dict()) == before
    assert torch.equal(torch.get_rng_state(), random_state)
    copy.deepcopy(net)(batch[0])
    assert meter.samples_of().forward_samples == BATCH


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(LEADS, 16, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, signals):
        return self.head(self.lstm(signals.transpose(1, 2))[0][:, -1])


def test_an_lstm_is_counted_and_its_audit_is_incomplete_on_this_device(batch):
    net = Recurrent()
    meter = Meter(8, torch.device("cpu"), 0)
    meter.watch("model", net)
    with meter.step("train"):
        train_step(net, batch)
    summary = meter.summary(net)
    macs = 64 * 4 * 16 * (LEADS + 16) + 16 * 4
    assert summary["flops"]["forward"] == 2 * macs * BATCH
    assert summary["audit"]["status"] == "incomplete"
    assert "mkldnn_rnn_layer" in summary["audit"]["blind_operations"]


@pytest.mark.parametrize("mode", ["train", "eval", "no_grad", "inference"])
def test_attention_costs_the_same_by_every_kernel(mode):
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    layer.train(mode == "train")
    meter = Meter(8, torch.device("cpu"), 0)
    meter.watch("model", layer)
    x = torch.randn(4, 10, 16)
    with meter.step("train"):
        if mode == "inference":
            with torch.inference_mode():
                layer(x)
        elif mode == "no_grad":
            with torch.no_grad():
                layer(x)
        else:
            layer(x).sum().backward()
    summary = meter.summary(layer)
    macs = 10 * (4 * 16 * 16 + 2 * 16 * 32) + 2 * 10 * 10 * 16
    assert summary["flops"]["forward"] == 2 * macs * 4
    assert summary["audit"]["status"] == "passed"
    assert summary["audit"]["largest_difference"] == 0


@pytest.mark.filterwarnings("ignore:.*nested tensors")
def test_tensors_that_the_counter_cannot_read_stop_nothing():
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 1
    ).eval()
    meter = Meter(8, torch.device("cpu"), 0)
    meter.watch("model", encoder)
    padding = torch.arange(10) >= torch.tensor([[10], [5]])
    with meter.step("train"), torch.no_grad():
        encoder(torch.randn(2, 10, 16), src_key_padding_mask=padding)
    assert meter.summary(encoder)["audit"]["status"] in ("flagged", "incomplete")


class Spectral(SmallNet):
    def forward(self, signals, lengths=None):
        return super().forward(signals + torch.fft.rfft(signals).abs().mean())


def test_what_has_no_formula_is_listed(batch):
    net = Spectral()
    meter = Meter(8, torch.device("cpu"), 0)
    meter.watch("model", net)
    with meter.step("train"):
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["not_counted"] == ["model: _fft_r2c"]
    assert summary["audit"]["status"] == "incomplete"


class ByValue(SmallNet):
    """Reads a value, which the meta device doesn't have."""

    def forward(self, signals, lengths=None):
        return super().forward(signals[..., : int(lengths.max())])


def test_code_that_depends_on_values_is_counted_on_a_copy(batch):
    net = ByValue()
    meter = Meter(8, torch.device("cpu"), 0)
    meter.watch("model", net)
    before = torch.get_rng_state()
    with meter.step("train"), torch.no_grad():
        net.eval()(batch[0], torch.full((BATCH,), 64))
    assert meter.summary(net)["flops"]["forward"] == 2 * forward_macs() * BATCH
    assert torch.equal(torch.get_rng_state(), before)


class Uncountable(SmallNet):
    def forward(self, signals, lengths=None):
        if len(signals) != BATCH:
            raise ValueError("only this batch")
        return super().forward(signals)


def test_what_cannot_run_apart_is_not_counted_and_not_zero(batch):
    net = Uncountable()
    meter = Meter(8, torch.device("cpu"), 0)
    meter.watch("model", net)
    with meter.step("train"):
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["not_counted"] == ["model (ValueError: only this batch)"]
    assert summary["flops"]["training"] is None
    assert summary["flops"]["by_module"]["model"]["forward"] is None
    assert summary["compute_epochs"] is None
    assert summary["forward_samples"] == BATCH
    assert summary["audit"]["status"] == "incomplete"


def test_pruned_modules_can_be_counted(meter, net, batch):
    prune.l1_unstructured(net.block, "weight", 0.5)
    with meter.step("train"):
        train_step(net, batch)
    summary = meter.summary(net)
    assert summary["flops"]["forward"] == 2 * forward_macs() * BATCH
    assert summary["audit"]["status"] == "passed"


def run_steps(meter, net, optimizer, steps):
    generator = torch.Generator()
    meter.optimizer = optimizer
    with meter.outside("train"):
        for number in steps:
            generator.manual_seed(number)
            signals = torch.randn(4, LEADS, 64, generator=generator)
            optimizer.zero_grad()
            with meter.step("train", size=signals.numel()):
                cross_entropy(net(signals), torch.arange(4)).backward()
                optimizer.step()
            with meter.paused(), torch.no_grad():
                net(signals)
            if number % 3 == 0:
                with meter.outside("epoch_end"):
                    torch.ones(2, 2) @ torch.ones(2, 2)
            yield number


def fresh(seed=0):
    torch.manual_seed(seed)
    net = SmallNet()
    meter = Meter(32, torch.device("cpu"), 7)
    meter.watch("model", net)
    return meter, net, torch.optim.AdamW(net.parameters())


def test_a_resumed_run_ends_with_the_same_summary():
    meter, net, optimizer = fresh()
    states = {}
    for number in run_steps(meter, net, optimizer, range(12)):
        states[number] = (
            json.dumps(
                [
                    meter.state_dict(),
                    {k: v.tolist() for k, v in net.state_dict().items()},
                ]
            ),
            copy.deepcopy((net.state_dict(), optimizer.state_dict())),
        )
    whole = json.dumps(meter.summary(net, optimizer))
    for number, (saved, (weights, moments)) in states.items():
        meter, net, optimizer = fresh(seed=number)
        with meter.outside("train"):
            torch.ones(9, 9) @ torch.ones(9, 9)
            net(torch.randn(2, LEADS, 64))
            meter.load_state_dict(json.loads(saved)[0])
        net.load_state_dict(weights)
        optimizer.load_state_dict(moments)
        for _ in run_steps(meter, net, optimizer, range(number + 1, 12)):
            pass
        assert json.dumps(meter.summary(net, optimizer)) == whole


def test_a_summary_is_plain_data_and_changes_nothing(meter, net, batch):
    with meter.step("train"):
        train_step(net, batch)
    first = json.dumps(meter.summary(net, torch.optim.SGD(net.parameters())))
    assert json.dumps(meter.summary(net, torch.optim.SGD(net.parameters()))) == first


def test_nothing_trained_is_null_not_zero(meter, net):
    summary = meter.summary(net)
    assert summary["compute_epochs"] is None
    assert summary["peak_memory_bytes"] is None
    assert summary["inference"] == {"dense_macs": None, "sparse_macs": None}
    assert summary["audit"]["steps"] == 0
