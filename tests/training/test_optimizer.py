"""Schedules as functions of progress; torch's own as oracles where they have one."""

import math

import pytest
import torch
from small_runs import EVERY_BATCH, make_run, outcome
from stopping import resumed
from torch import nn
from torch.optim import lr_scheduler

from harness.options import Budget
from harness.training.optimizer import LearningRate, build_optimizer


def rate(epochs=10, **schedule):
    return LearningRate(Budget(schedule=schedule), epochs)


def test_constant_is_constant():
    assert {rate(use="constant").factor(p / 7) for p in range(7)} == {1.0}


def test_step_multiplies_after_each_epoch():
    schedule = LearningRate(Budget(schedule={"use": "step", "gamma": 0.98}), 100)
    for epoch in range(100):
        for share in (0.0, 0.5, 0.99):
            assert schedule.factor((epoch + share) / 100) == 0.98**epoch


def test_methods_a4_rate_after_100_epochs_of_the_published_recipe():
    schedule = LearningRate(Budget(schedule={"use": "step", "gamma": 0.98}), 101)
    assert 3e-4 * schedule.factor(100 / 101) == pytest.approx(3.98e-5, rel=1e-3)


def test_one_cycle_is_torchs_with_progress_for_steps():
    total = 400
    parameter = nn.Parameter(torch.zeros(1))
    theirs = torch.optim.AdamW([parameter], lr=1.0)
    scheduler = lr_scheduler.OneCycleLR(theirs, 1.0, total_steps=total)
    ours = rate(use="one-cycle")
    for step in range(total - 1):
        # torch's peak lies at step 0.3 * total - 1, its end at total - 1.
        rise, fall = 0.3 * total - 1, total - 1
        progress = (
            0.3 * step / rise
            if step <= rise
            else 0.3 + 0.7 * (step - rise) / (fall - rise)
        )
        group = theirs.param_groups[0]
        assert ours.factor(progress) == pytest.approx(group["lr"], rel=1e-6)
        assert ours.momentum(progress) == pytest.approx(group["betas"][0], rel=1e-6)
        theirs.step()
        scheduler.step()


def test_cosine_warms_up_and_ends_at_its_share():
    schedule = rate(use="cosine", warmup=0.2, final=0.1)
    assert schedule.factor(0.1) == pytest.approx(0.5)
    assert schedule.factor(0.2) == pytest.approx(1.0)
    assert schedule.factor(0.6) == pytest.approx(0.55)
    assert schedule.factor(1.0) == pytest.approx(0.1)


def test_plateau_is_torchs():
    losses = [1.0, 0.9, 0.95, 0.93, 0.92, 0.91, 0.8, 0.85, 0.85, 0.85, 0.85]
    theirs = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        theirs, factor=0.1, patience=2, threshold=0.0
    )
    ours = rate(use="plateau", factor=0.1, patience=2)
    for loss in losses:
        scheduler.step(loss)
        ours.validated(loss)
        expected = theirs.param_groups[0]["lr"]
        assert math.isclose(ours.factor(0.5), expected, rel_tol=1e-9)


def test_a_stretched_plateau_waits_in_proportion():
    """A fit four times as long as the budget waits four times as long."""
    budget = Budget(schedule={"use": "plateau", "factor": 0.1, "patience": 2})
    ours = LearningRate(budget, 10, stretch=4.0)
    factors = []
    for _ in range(11):
        ours.validated(1.0)
        factors.append(ours.factor(0.0))
    assert factors == [1.0] * 9 + [pytest.approx(0.1)] * 2


def test_plateau_goes_on_from_its_state():
    first, second = rate(use="plateau"), rate(use="plateau")
    for loss in (1.0, 2.0, 2.0, 2.0):
        first.validated(loss)
    second.load_state_dict(first.state_dict())
    assert second.factor(0.0) == first.factor(0.0) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"use": "adamw", "betas": [0.8, 0.9]}, torch.optim.AdamW),
        ({"use": "adam", "weight_decay": 0.1}, torch.optim.Adam),
        ({"use": "sgd", "nesterov": True}, torch.optim.SGD),
    ],
)
def test_the_optimizer_is_the_one_that_is_named(settings, kind):
    frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
    free = nn.Parameter(torch.zeros(1))
    optimizer = build_optimizer(Budget(optimizer=settings), [frozen, free])
    assert type(optimizer) is kind
    assert optimizer.param_groups[0]["params"] == [free]


# --- what decays ---------------------------------------------------------------------


class Parts(nn.Module):
    """One of each: a convolution, a norm, a linear layer and a single number."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 3)
        self.norm = nn.BatchNorm1d(4)
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.head = nn.Linear(4, 3)

    def forward(self, signals):
        return self.head(self.scale * self.norm(self.conv(signals)).mean(2))


OPTIMIZERS = [
    ({"use": "adamw", "weight_decay": 0.1, "lr": 0.05}, torch.optim.AdamW),
    ({"use": "adam", "weight_decay": 0.1, "lr": 0.05}, torch.optim.Adam),
    ({"use": "sgd", "weight_decay": 0.1, "lr": 0.05, "momentum": 0.9}, torch.optim.SGD),
]


def trained_by(make_optimizer):
    """The parameters after some steps, by name."""
    torch.manual_seed(0)
    model = Parts()
    optimizer = make_optimizer(model)
    for _ in range(4):
        signals, labels = torch.randn(8, 2, 30), torch.randint(3, (8,))
        nn.functional.cross_entropy(model(signals), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    return {name: p.tolist() for name, p in model.named_parameters()}


def by_hand(kind, settings):
    """An optimizer under which only what is multiplied with signals decays."""

    def make(model):
        decaying = [model.conv.weight, model.head.weight]
        others = [
            *(model.scale, model.conv.bias, model.norm.weight, model.norm.bias),
            model.head.bias,
        ]
        groups = [{"params": decaying}, {"params": others, "weight_decay": 0.0}]
        return kind(groups, **{k: v for k, v in settings.items() if k != "use"})

    return make


def by_budget(settings):
    budget = Budget(optimizer=settings)
    return lambda model: build_optimizer(budget, model.parameters())


@pytest.mark.parametrize(("settings", "kind"), OPTIMIZERS)
def test_biases_and_norms_do_not_decay_if_so_told(settings, kind):
    found = trained_by(by_budget({**settings, "decay": "weights"}))
    assert found == trained_by(by_hand(kind, settings))
    everything = trained_by(by_budget(settings))
    assert everything == trained_by(by_budget({**settings, "decay": "all"}))
    assert all(found[name] != everything[name] for name in found)


@pytest.mark.parametrize("parts", [["weight"], ["bias"]])
def test_a_group_without_parameters_is_left_out(parts):
    budget = Budget(optimizer={"use": "adamw", "decay": "weights"})
    layer = nn.Linear(2, 2)
    (group,) = build_optimizer(budget, [getattr(layer, p) for p in parts]).param_groups
    assert group["weight_decay"] == (0.01 if parts == ["weight"] else 0.0)


def test_both_groups_follow_the_schedule_and_resume(tmp_path):
    settings = {
        "optimizer": {"use": "sgd", "lr": 0.1, "weight_decay": 0.1, "decay": "weights"},
        "schedule": {"use": "one-cycle"},
    }
    whole = make_run(tmp_path / "whole", **settings)
    whole.execute()
    groups = whole.optimizer.param_groups
    assert [g["weight_decay"] for g in groups] == [0.1, 0.0]
    assert groups[0]["lr"] == groups[1]["lr"] < 0.01
    assert groups[0]["momentum"] == groups[1]["momentum"]

    def make():
        return make_run(tmp_path / "stopped", execution=EVERY_BATCH, **settings)

    ended, attempts = resumed(make)
    assert attempts > 1
    assert outcome(ended) == outcome(whole)
