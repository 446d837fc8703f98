"""The audit against plugins that go round the meter, each in its own way."""

import copy
import threading

import pytest
import torch
from small_net import BATCH, CLASSES, LEADS, SAMPLES, SmallNet, forward_macs
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils.checkpoint import checkpoint

from harness.cost.audit import Audit, is_scheduled
from harness.cost.flops import tensors_of
from harness.cost.meter import Meter


def honest(net, batch):
    net.zero_grad()
    cross_entropy(net(batch[0]), batch[1]).backward()


def part_of_the_module(net, batch):
    hidden = torch.relu(net.norm(net.stem(batch[0])))
    cross_entropy(net.head(hidden.mean(-1)), batch[1]).backward()


def forward_method(net, batch):
    cross_entropy(net.forward(batch[0]), batch[1]).backward()


def per_sample_gradients(net, batch):
    net.eval()
    weights = {k: v.detach() for k, v in net.named_parameters()}

    def loss(weights, signal, label):
        logits = functional_call(net, weights, (signal[None],))
        return cross_entropy(logits, label[None])

    vmap(grad(loss), in_dims=(None, 0, 0))(weights, *batch)


def gradient_of_a_part(net, batch):
    hidden = net.features(batch[0])
    loss = cross_entropy(net.head(hidden.mean(-1)), batch[1])
    torch.autograd.grad(loss, list(net.parameters()))


def by_hand(net, batch):
    with torch.no_grad():
        hidden = net.features(batch[0]).mean(-1)
        logits = hidden @ net.head.weight.T + net.head.bias
        errors = logits.softmax(1) - torch.eye(CLASSES)[batch[1]]
        net.head.weight.sub_(0.01 * errors.T @ hidden)


def a_copy_trained_aside(net, batch):
    honest(copy.deepcopy(net), batch)


def a_second_network(net, batch):
    honest(SmallNet(16), batch)


def one_hidden_forward(net, batch):
    honest(net, batch)
    with torch.no_grad():
        net.features(batch[0])


def hooks_removed(net, batch):
    net._forward_hooks.clear()
    honest(net, batch)


def counter_switched_off(net, batch):
    with _disable_current_modes():
        honest(net, batch)


def matrix_by_vectors(net, batch):
    honest(net, batch)
    matrix = torch.randn(500, 500)
    for column in matrix:
        matrix.mv(column)


def recomputed_from_outside(net, batch):
    logits = checkpoint(net, batch[0], use_reentrant=False)
    cross_entropy(logits, batch[1]).backward()


EVASIONS = [
    recomputed_from_outside,
    part_of_the_module,
    forward_method,
    per_sample_gradients,
    gradient_of_a_part,
    by_hand,
    a_copy_trained_aside,
    a_second_network,
    one_hidden_forward,
    hooks_removed,
    counter_switched_off,
    matrix_by_vectors,
]


@pytest.mark.parametrize("evade", EVASIONS)
def test_a_step_that_goes_round_the_meter_is_flagged(evade, meter, net, batch):
    with meter.step("train"):
        evade(net, batch)
    audit = meter.summary(net)["audit"]
    assert audit["status"] == "flagged"
    (finding,) = audit["findings"]
    assert finding["where"] == "step of phase 'train'"
    assert finding["counted"] != finding["metered"]
    assert audit["largest_difference"] > 0.01


@pytest.mark.parametrize("evade", EVASIONS)
@pytest.mark.parametrize("hook", ["epoch_end", "select_epoch", "train"])
def test_hidden_work_in_a_hook_is_flagged(evade, hook, meter, net, batch):
    with meter.outside(hook):
        evade(net, batch)
    audit = meter.summary(net)["audit"]
    assert audit["status"] == "flagged"
    assert [f["where"] for f in audit["findings"]] == [f"hook '{hook}'"]
    assert audit["hidden_work"][hook] != 0


def functional(net, batch):
    weights = dict(net.named_parameters())
    cross_entropy(functional_call(net, weights, (batch[0],)), batch[1]).backward()


def functional_gradient(net, batch):
    net.eval()
    weights = {k: v.detach() for k, v in net.named_parameters()}

    def loss(weights):
        return cross_entropy(functional_call(net, weights, (batch[0],)), batch[1])

    grad(loss)(weights)


def gradient_without_backward(net, batch):
    loss = cross_entropy(net(batch[0]), batch[1])
    torch.autograd.grad(loss, list(net.parameters()))


def zeroth_order(net, batch):
    with torch.no_grad():
        for sign in (1, -2, 1):
            for parameter in net.parameters():
                parameter.add_(1e-3 * sign)
            net(batch[0])


@pytest.mark.parametrize(
    "train",
    [
        honest,
        functional,
        functional_gradient,
        gradient_without_backward,
        zeroth_order,
    ],
)
def test_unusual_but_honest_steps_pass(train, meter, net, batch):
    with meter.step("train"):
        train(net, batch)
    audit = meter.summary(net)["audit"]
    assert (audit["status"], audit["findings"]) == ("passed", [])
    assert audit["largest_difference"] == 0


def test_work_on_another_thread_of_an_honest_step_shows_as_missing(meter, net, batch):
    with meter.step("train"):
        thread = threading.Thread(target=honest, args=(net, batch))
        thread.start()
        thread.join()
    assert meter.summary(net)["audit"]["status"] == "flagged"


def test_hooks_taken_off_between_audits_are_named(meter, net, batch):
    unaudited = next(n for n in range(100) if not is_scheduled(0, "train", n))
    for number in range(unaudited + 1):
        if number == unaudited:
            net._forward_hooks.clear()
        with meter.step("train"):
            honest(net, batch)
    audit = meter.summary(net)["audit"]
    assert (audit["status"], audit["removed_hooks"]) == ("flagged", ["model"])


def test_calls_of_watched_modules_in_a_hook_are_not_hidden(meter, net, batch):
    with meter.outside("train"):
        with meter.outside("select_epoch"), torch.no_grad():
            net(batch[0])
        with meter.step("train"):
            honest(net, batch)
    summary = meter.summary(net)
    assert summary["audit"]["status"] == "passed"
    assert summary["audit"]["hidden_work"] == {}
    assert summary["forward_samples"] == 2 * BATCH


def test_work_is_charged_to_the_innermost_hook(meter, net, batch):
    with meter.outside("train"):
        torch.ones(1, 2) @ torch.ones(2, 1)
        with meter.outside("epoch_end"):
            torch.ones(1, 3) @ torch.ones(3, 1)
        for _ in range(5):
            with meter.step("train"):
                honest(net, batch)
        torch.ones(1, 5) @ torch.ones(5, 1)
    audit = meter.summary(net)["audit"]
    assert audit["hidden_work"] == {"epoch_end": 6, "train": 14}
    assert audit["status"] == "passed"


def test_hidden_work_counts_where_it_is_more_than_one_percent_of_all(meter, net, batch):
    for _ in range(2):
        with meter.step("train"):
            honest(net, batch)
    training = meter.summary(net)["flops"]["training"]
    with meter.outside("epoch_end"):
        columns = int(0.009 * training) // 2
        torch.ones(1, columns) @ torch.ones(columns, 1)
    assert meter.summary(net)["audit"]["status"] == "passed"
    with meter.outside("select_epoch"):
        torch.ones(1, columns) @ torch.ones(columns, 1)
    audit = meter.summary(net)["audit"]
    assert audit["status"] == "flagged"
    assert len(audit["findings"]) == 2


def test_evaluation_is_neither_hidden_nor_audited(meter, net, batch):
    with meter.outside("epoch_end"), meter.paused(), torch.no_grad():
        net.features(batch[0])
    audit = meter.summary(net)["audit"]
    assert (audit["status"], audit["hidden_work"]) == ("passed", {})


def test_regions_close_when_a_hook_raises(meter, net, batch):
    with pytest.raises(RuntimeError), meter.outside("train"), meter.step("train"):
        raise RuntimeError
    with meter.step("train"):
        honest(net, batch)
    audit = meter.summary(net)["audit"]
    assert (audit["status"], audit["steps"]) == ("passed", 1)


def test_a_plugins_own_mode_around_the_core_is_survived(meter, net, batch):
    class Foreign(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    with meter.outside("train"), Foreign():
        for _ in range(4):
            with meter.step("train"):
                honest(net, batch)
    audit = meter.summary(net)["audit"]
    assert (audit["status"], audit["hidden_work"]) == ("passed", {})


def test_what_cannot_be_counted_in_a_hook_is_named(meter, net, batch):
    with meter.outside("select_epoch"):
        torch.linalg.svd(torch.randn(4, 4))
    audit = meter.summary(net)["audit"]
    assert audit["status"] == "incomplete"
    assert audit["blind_operations"] == ["_linalg_svd in hook 'select_epoch'"]


@pytest.mark.parametrize("seed", range(5))
def test_the_schedule_is_pseudo_random_and_sparse(seed):
    audited = [n for n in range(10_000) if is_scheduled(seed, "train", n)]
    assert audited[:2] == [0, 1]
    assert 8 <= len(audited) <= 9
    other = [n for n in range(10_000) if is_scheduled(seed, "revision", n)]
    assert audited != other


def test_each_phase_has_its_own_audit(meter, net, batch):
    for phase in ("train", "revision"):
        for _ in range(2):
            with meter.step(phase):
                honest(net, batch)
    assert meter.summary(net)["audit"]["steps"] == 4


def test_a_batch_larger_than_any_before_is_audited():
    audit = Audit(seed=0)
    sizes = [100, 100, 101, *[100] * 20, 200]
    due = []
    for size in sizes:
        due.append(audit.due("train", size))
        audit.record_backward("train")
    assert due[-1]
    assert sum(due) < 8


def test_two_steps_that_train_are_waited_for(meter, net, batch):
    """Kept samples are packed: here every tenth step goes backward."""
    for number in range(40):
        with meter.step("train"):
            if number % 10 == 9:
                honest(net, batch)
            else:
                with torch.no_grad():
                    net(batch[0])
    summary = meter.summary(net)
    assert 20 <= summary["audit"]["steps"] <= 23
    assert summary["peak_memory_bytes"]["activations"] > 0


@pytest.mark.parametrize("kind", ["dropout", "bf16"])
def test_auditing_changes_no_bit_of_the_training(kind, batch):
    def trained(audited):
        torch.manual_seed(0)
        net = SmallNet()
        optimizer = torch.optim.AdamW(net.parameters())
        meter = Meter(32, torch.device("cpu"), 0)
        if audited:
            meter.watch("model", net)
        for number in range(5):
            optimizer.zero_grad()
            size = number if audited else 0
            with (
                meter.step("train", size=size) if audited else torch.enable_grad(),
                torch.autocast("cpu", torch.bfloat16, enabled=kind == "bf16"),
            ):
                cross_entropy(net(batch[0]), batch[1]).backward()
                optimizer.step()
        if audited:
            assert meter.summary(net)["audit"]["steps"] == 5
        return net.state_dict(), torch.get_rng_state()

    plain, state = trained(audited=False)
    metered, metered_state = trained(audited=True)
    assert all(torch.equal(plain[name], metered[name]) for name in plain)
    assert torch.equal(state, metered_state)


@pytest.mark.parametrize(
    "layer", [nn.LSTM(3, 8), nn.GRU(3, 8), nn.Conv1d(10, 8, 3), nn.Linear(3, 8)]
)
def test_counting_changes_no_bit_of_inference(layer, meter):
    x = torch.randn(6, 10, 3)
    with torch.inference_mode():
        plain = tensors_of(layer(x))
        with meter.step("train"):
            audited = tensors_of(layer(x))
    assert all(map(torch.equal, plain, audited))


def test_the_size_of_hidden_work_is_reported(meter, net):
    signals = torch.randn(BATCH, LEADS, SAMPLES)
    with meter.outside("epoch_end"), torch.no_grad():
        net.forward(signals)
    hidden = meter.summary(net)["audit"]["hidden_work"]
    assert hidden == {"epoch_end": 2 * forward_macs() * BATCH}
