"""Peak live bytes: by hand for a tiny net, and beside torch's own tracker."""

import warnings

import pytest
import torch
from small_net import LEADS, SmallNet
from torch import nn
from torch.nn.functional import cross_entropy

from harness.cost.meter import Meter
from harness.cost.peak_memory import PeakLive

FLOAT = 4


def test_a_linear_net_by_hand():
    """Bytes of y = Wx, loss = sum(y), SGD with momentum, batch 6, 10 -> 5.

    At the peak, in the first optimizer step, live: W and its gradient; x; y (held by
    the caller); the loss; the momentum buffer, which is a clone of the gradient.
    """
    net = nn.Linear(10, 5, bias=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, foreach=False)
    x = torch.randn(6, 10)
    live = PeakLive([net], optimizer)
    with live:
        y = net(x)
        loss = y.sum()
        loss.backward()
        optimizer.step()
    assert live.breakdown() == {
        "total": FLOAT * (50 + 50 + 50 + 60 + 30 + 1),
        "parameters": FLOAT * 50,
        "buffers": 0,
        "gradients": FLOAT * 50,
        "optimizer": FLOAT * 50,
        "inputs": FLOAT * 60,
        "activations": FLOAT * (30 + 1),
        "temporaries": 0,
    }


def test_gradients_are_known_though_the_step_clears_them():
    net = nn.Linear(10, 5)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    live = PeakLive([net], optimizer)
    with live:
        net(torch.randn(1, 10)).sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    found = live.breakdown()
    assert found["gradients"] == found["optimizer"] == FLOAT * 55


def test_a_forward_alone_keeps_no_activations():
    net = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    live = PeakLive([net], None)
    x = torch.randn(6, 10)
    with live, torch.no_grad():
        net(x)
    found = live.breakdown()
    assert found["activations"] == found["gradients"] == 0
    # the first layer's output beside the ReLU's, as neither is in place
    assert found["temporaries"] == FLOAT * (6 * 20 + 6 * 20)


def test_views_of_what_was_there_before_cost_nothing():
    batch = torch.randn(100, 100)
    live = PeakLive([], None)
    with live:
        part = batch[:50].view(-1)
        batch.add_(1)
    del part
    found = live.breakdown()
    assert found["total"] == found["inputs"] == FLOAT * 10_000


def test_what_is_freed_makes_room():
    live = PeakLive([], None)
    with live:
        for _ in range(3):
            big = torch.zeros(1000)
            del big
    assert live.breakdown()["total"] == FLOAT * 1000


def step(net, optimizer, signals, labels):
    optimizer.zero_grad()
    cross_entropy(net(signals), labels).backward()
    optimizer.step()


@pytest.mark.parametrize("optimiser", [torch.optim.SGD, torch.optim.AdamW])
def test_it_agrees_with_torchs_tracker(optimiser):
    tracker = pytest.importorskip("torch.distributed._tools.mem_tracker")
    signals, labels = torch.randn(32, LEADS, 512), torch.randint(4, (32,))

    def measured(tool):
        torch.manual_seed(0)
        net = SmallNet(32)
        optimizer = optimiser(net.parameters(), lr=0.1, foreach=False)
        step(net, optimizer, signals, labels)
        optimizer.zero_grad()
        mode = tool(net, optimizer)
        with mode:
            step(net, optimizer, signals, labels)
        return mode

    def torchs(net, optimizer):
        made = tracker.MemTracker()
        made.track_external(net, optimizer, signals, labels)
        return made

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        snapshot = measured(torchs).get_tracker_snapshot("peak")
    theirs = snapshot[torch.device("cpu")]["Total"]
    ours = measured(lambda net, opt: PeakLive([net], opt)).breakdown()
    assert ours["total"] == pytest.approx(theirs, rel=0.03)


def trained(steps=3, sizes=None):
    torch.manual_seed(0)
    net = SmallNet()
    meter = Meter(32, torch.device("cpu"), 0)
    meter.watch("model", net)
    meter.optimizer = torch.optim.AdamW(net.parameters())
    for number in range(steps):
        samples = sizes[number] if sizes else 64
        signals = torch.randn(4, LEADS, samples)
        meter.optimizer.zero_grad()
        with meter.step("train", size=signals.numel()):
            cross_entropy(net(signals), torch.arange(4)).backward()
            meter.optimizer.step()
    return meter.summary(net)["peak_memory_bytes"]


def test_the_parts_make_up_the_whole():
    peak = trained()
    parts = {k: v for k, v in peak.items() if k not in ("total", "phase")}
    assert sum(parts.values()) == peak["total"]
    weights = FLOAT * sum(p.numel() for p in SmallNet().parameters())
    assert peak["parameters"] == weights
    assert peak["phase"] == "train"


def test_repeats_agree_to_the_byte():
    assert trained() == trained()


def test_optimizer_state_and_activations_are_there():
    peak = trained(steps=1)
    assert peak["activations"] > 4 * 8 * 32 * FLOAT
    long = trained(steps=1, sizes=[256])
    assert long["activations"] > 3 * peak["activations"]


def test_the_longest_record_is_measured_whenever_it_comes():
    steps = 40
    sizes = [64] * steps
    sizes[20] = 256
    assert trained(steps, sizes)["activations"] == trained(1, [256])["activations"]
