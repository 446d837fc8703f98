"""Distillation by section B of the methods' notes, with the repairs of section C."""

import importlib
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from harness import Outputs
from harness.catalog import Catalog
from harness.errors import ConfigError
from harness.options import Adam, Budget, Mixup, OneCycle
from harness.plan.plan import make_plan
from harness.suite.resolve import read_suite
from harness.training.forward import caught
from harness.training.optimizer import LearningRate

MEAN_FORM = 5.86


@pytest.fixture(scope="module")
def distillation():
    return Catalog.discover().load("strategy", "distillation")


@pytest.fixture(scope="module")
def divergence(distillation):
    return importlib.import_module(f"{distillation.__module__}.divergence")


@pytest.fixture(scope="module")
def se_resnet(plugin):
    model = plugin("models/se_resnet/__init__.py", "SEResNet")
    return lambda leads: model(model.Params()).build(leads, 7500, 3)


# --- the schedule of section B6 ------------------------------------------------------


@pytest.mark.parametrize(
    ("epoch", "m"),
    [(0, 0.0067), (5, 0.034), (10, 0.159), (15, 0.5), (20, 0.841), (30, 0.993)],
)
def test_b6_ramp(distillation, epoch, m):
    assert distillation.Params().ramp_at(epoch) == pytest.approx(m, rel=0.02, abs=5e-4)


def test_without_a_ramp_the_teacher_weighs_the_same_throughout(distillation):
    flat = distillation.Params(ramp=False)
    assert [flat.ramp_at(epoch) for epoch in (0, 15, 100)] == [1, 1, 1]


def test_b6_the_weight_on_means_is_that_of_the_published_sums(distillation):
    """lambda = alpha L_0 / 64 at 7,500 samples."""
    faithful = distillation.presets["faithful"].params
    assert faithful["weight"] * 7500 / 64 == pytest.approx(MEAN_FORM, abs=5e-3)
    assert distillation.Params().weight == MEAN_FORM
    by_stage = zip(faithful["stage_weights"], (7500, 1875, 468, 117), strict=True)
    assert [round(w * steps, 1) for w, steps in by_stage] == [117.2, 117.2, 117, 117]


def test_b7_mean_learning_rates_of_the_first_epochs(distillation):
    """The published log's, of 14 steps an epoch over 13,755 records."""
    budget = Budget(**distillation.presets["published"].budget)
    records, batch, epochs = 13_755, budget.batch_size, budget.epochs
    weight = torch.nn.Parameter(torch.zeros(1))
    theirs = torch.optim.Adam([weight], lr=budget.optimizer.lr / 25)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        theirs, max_lr=budget.optimizer.lr, total_steps=epochs * 14
    )
    ours = LearningRate(budget, epochs)
    published = (8.0488e-5, 8.3218e-5, 8.8577e-5, 9.6551e-5)
    for epoch, expected in enumerate(published):
        rates, oracle = [], []
        for step in range(14):
            theirs.step()
            schedule.step()
            # As logged: the rate that the step's end sets.
            oracle.append(theirs.param_groups[0]["lr"])
            seen = min(1, (step + 1) * batch / records)
            rates.append(ours.factor((epoch + seen) / epochs) * budget.optimizer.lr)
        assert np.mean(oracle) == pytest.approx(expected, abs=1e-9)
        # Ours goes by samples seen, and the last batch is smaller.
        assert np.mean(rates) == pytest.approx(expected, rel=2e-3)


def test_b7_the_published_budget(distillation):
    budget = Budget(**distillation.presets["published"].budget)
    assert (budget.epochs, budget.batch_size, budget.negative_weight) == (
        200,
        1024,
        0.1,
    )
    assert budget.optimizer == Adam(
        use="adam", lr=2e-3, weight_decay=5e-4, decay="weights"
    )
    assert budget.schedule == OneCycle(use="one-cycle")
    assert budget.augment == [Mixup(use="mixup", alpha=0.2)]
    rate = LearningRate(budget, 200)
    assert [rate.momentum(p) for p in (0.0, 0.3)] == pytest.approx([0.95, 0.85])


def test_the_faithful_form_has_a_footnote_however_it_is_asked_for(distillation):
    presets = distillation.presets
    assert "summed over time" in presets["faithful"].footnote
    assert presets["published"].params == presets["faithful"].params


# --- the divergence of section B6 ----------------------------------------------------


def test_b6_kl_of_a_hand_case(divergence):
    """P = (1/2, 1/2) and Q = (1/4, 3/4); then P = Q."""
    taught = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    own = torch.tensor([[[0.0, 5.0], [math.log(3), 4.0]]])
    expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    found = divergence.of_stage(taught, own)
    torch.testing.assert_close(found, torch.tensor([[expected, 0.0]]))
    torch.testing.assert_close(
        divergence.over_time(found, None, "sum"), torch.tensor([expected])
    )
    torch.testing.assert_close(
        divergence.over_time(found, None, "mean"), torch.tensor([expected / 2])
    )


def published_loss(taught, own, n, alpha=0.05):
    """As section B6 writes it: alpha sum w_j (1/B) sum_b sum_t sum_c P (log P - log Q).

    In another order of operations than the plugin's.
    """
    total = 0.0
    stages = list(zip((1 / 64, 1 / 16, 1 / 4, 1), taught, own, strict=True))
    for w, t, s in stages[len(stages) - n :]:
        p, q = t.softmax(1), s.softmax(1)
        total += w * (p * (p.log() - q.log())).sum() / len(t)
    return alpha * float(total)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_b6_means_times_5_86_are_the_published_sums(divergence, n):
    shapes = [(3, 16, 7500), (3, 32, 1875), (3, 64, 468), (3, 128, 117)]
    noise = torch.Generator().manual_seed(0)
    taught, own = (
        [torch.randn(shape, generator=noise) for shape in shapes] for _ in range(2)
    )
    by_stage = [
        divergence.over_time(divergence.of_stage(t, s), None, "mean")
        for t, s in zip(taught, own, strict=True)
    ]
    mean_form = MEAN_FORM * sum(kl.mean() for kl in by_stage[4 - n :])
    assert float(mean_form) == pytest.approx(published_loss(taught, own, n), rel=3e-3)


def test_b6_scale_at_random_initialisation(divergence, se_resnet):
    """0.85, 1.18, 1.99 and 4.86 a step: the teacher would outweigh the labels."""
    torch.manual_seed(0)
    teacher, student = se_resnet(12).eval(), se_resnet(1).train()
    signals = torch.randn(4, 12, 7500)
    signals = signals / signals.abs().amax(-1, keepdim=True)
    with torch.no_grad(), caught(teacher, teacher.features) as taught:
        teacher(signals)
    with torch.no_grad(), caught(student, student.features) as own:
        student(signals[:, :1])
    for name, published in zip(taught, (0.85, 1.18, 1.99, 4.86), strict=True):
        mean = float(divergence.of_stage(taught[name], own[name]).mean())
        assert published / 2 < mean < published * 2


def test_a_teacher_that_agrees_teaches_nothing(divergence):
    features = torch.randn(2, 8, 30)
    # A constant on all channels is none of a distribution's business.
    found = divergence.of_stage(features, features + torch.randn(2, 1, 30))
    torch.testing.assert_close(found, torch.zeros(2, 30), atol=1e-6, rtol=0)


def test_c6_a_temperature_softens(divergence):
    taught, own = torch.randn(2, 8, 30), torch.randn(2, 8, 30)
    found = divergence.of_stage(taught, own, 4.0)
    torch.testing.assert_close(found, divergence.of_stage(taught / 4, own / 4))


def test_c6_standardised_channels_have_no_scale(divergence):
    taught, own = torch.randn(2, 8, 30), torch.randn(2, 8, 30)
    found = divergence.of_stage(50 * taught + 7, own, standardise=True)
    expected = divergence.of_stage(taught, 3 * own - 2, standardise=True)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    saturated = divergence.of_stage(50 * taught, 50 * own)
    assert saturated.mean() > 10 * found.mean()


def test_c7_a_teacher_of_other_steps_is_interpolated(divergence):
    slope = torch.linspace(0, 1, 30).expand(1, 2, 30) * torch.tensor([[[1.0], [-1.0]]])
    coarse = slope.unflatten(2, (10, 3)).mean(3)
    found = divergence.of_stage(coarse, slope)
    assert found.shape == (1, 30)
    # But for the ends, which have no neighbour, a straight line stays one.
    assert found[:, 2:-2].abs().max() < 1e-6


def test_padding_is_not_taught(divergence):
    by_step = torch.tensor([[1.0, 3.0, 100.0], [1.0, 2.0, 6.0]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    mean = divergence.over_time(by_step, mask, "mean")
    assert mean.tolist() == [2, 3]
    assert divergence.over_time(by_step, mask, "sum").tolist() == [4, 9]


# --- answers -------------------------------------------------------------------------


def test_answers_of_one_class_a_record(divergence):
    taught, own = torch.randn(5, 3), torch.randn(5, 3)
    found = divergence.of_answers(Outputs(taught), Outputs(own), 4.0, False)
    p, q = (taught / 4).softmax(1), (own / 4).softmax(1)
    torch.testing.assert_close(found, (p * (p / q).log()).sum(1))


def test_answers_of_several_labels_a_record(divergence):
    taught, own = torch.randn(5, 3), torch.randn(5, 3)
    found = divergence.of_answers(Outputs(taught), Outputs(own), 2.0, True)
    p, q = (taught / 2).sigmoid(), (own / 2).sigmoid()
    expected = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    torch.testing.assert_close(found, expected.mean(1))
    # Their gradient is that of cross-entropy with soft targets.
    own.requires_grad_()
    kl = divergence.of_answers(Outputs(taught), Outputs(own), 1.0, True).sum()
    (gradient,) = torch.autograd.grad(kl, own)
    soft = functional.binary_cross_entropy_with_logits(own, taught.sigmoid())
    (expected,) = torch.autograd.grad(soft * own.numel() / 3, own)
    torch.testing.assert_close(gradient, expected)


def test_answers_with_steps_leave_padding_out(divergence):
    taught, own = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    mask = torch.tensor([[True, True, False, False], [True] * 4])
    found = divergence.of_answers(Outputs(taught), Outputs(own, mask), 1.0, False)
    short = (Outputs(taught[:1, :, 0]), Outputs(own[:1, :, 0]), 1.0, False)
    second = (Outputs(taught[:1, :, 1]), Outputs(own[:1, :, 1]), 1.0, False)
    expected = (divergence.of_answers(*short) + divergence.of_answers(*second)) / 2
    torch.testing.assert_close(found[:1], expected)


# --- controls and parameters ---------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 16])
def test_c15_a_shuffled_teacher_never_sees_the_record_itself(divergence, n):
    rng = np.random.default_rng(0)
    orders = [divergence.derangement(rng, n) for _ in range(50)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(n))
        assert (order != torch.arange(n)).all()
    assert n == 2 or len({tuple(order.tolist()) for order in orders}) > 1


def test_one_record_has_no_other(divergence):
    assert divergence.derangement(np.random.default_rng(0), 1).tolist() == [0]


@pytest.mark.parametrize(
    ("params", "teaches"),
    [
        ({}, True),
        ({"stages": 0}, False),
        ({"weight": 0.0}, False),
        ({"stages": 0, "logit_weight": 1.0}, True),
    ],
)
def test_c1_a_teacher_is_needed_only_where_it_teaches(distillation, params, teaches):
    assert distillation.Params(**params).teaches is teaches


PLANNED = """
name = "planned"
[budget]
epochs = 4
[[dataset]]
use = "synthetic"
records = 60
leads = ["I"]
[[model]]
use = "se_resnet"
[[strategy]]
use = "distillation"
"""


@pytest.fixture
def plan(tmp_path, clean_environment):
    def planned(strategy):
        (tmp_path / "planned.toml").write_text(PLANNED + strategy)
        suite, catalog = read_suite(tmp_path / "planned.toml")
        return make_plan(suite, catalog, tmp_path / "runs").cells

    return planned


def test_a_teacher_who_never_gets_to_teach_is_refused(plan):
    with pytest.raises(ConfigError, match=r"in 4 epochs .* 0\.018 of its"):
        plan("controls = false\n")
    assert plan("controls = false\nramp_middle = 3.0\n")


def test_a_sweep_through_zero_keeps_its_controls(plan):
    """Of a teacher who doesn't teach they are all plain training."""
    cells = plan(
        "ramp = false\ngrid.weight = [0.0, 1.0]\n"
        'controls = ["shuffled teacher", "baseline at equal FLOPs"]\n'
    )
    (untaught,) = [
        p.cell.id for p in cells if p.role == "suite" and not p.cell.requires
    ]
    beside = {
        control["name"]: p.cell
        for p in cells
        for control in p.controls
        if control["of"] == untaught
    }
    assert {cell.strategy_name for cell in beside.values()} == {"baseline"}
    assert len({cell.id for cell in beside.values()}) == 1


def test_a_control_names_no_teacher(plan):
    """It is what it is called beside its own cell alone."""
    cells = plan("ramp = false\ncontrols = ['no distillation']\n")
    (teacher,) = [p.cell for p in cells if p.role == "required"]
    assert teacher.labels["strategy"] == "baseline"


def test_a_mistake_in_the_teacher_s_leads_is_told_with_its_cell(plan):
    with pytest.raises(ConfigError) as told:
        plan("ramp = false\ncontrols = false\nteacher_leads = ['I', 'V11']\n")
    assert "requires 'teacher': dataset 'synthetic'" in str(told.value)
    assert "there is no 'V11'" in str(told.value)


def test_a_mistake_in_the_teacher_s_model_is_told_with_its_model(plan):
    with pytest.raises(ConfigError, match=r"'teacher': model 'se_resnet'.* widht"):
        plan("ramp = false\ncontrols = false\nteacher_model_params = { widht = 1.0 }\n")


@pytest.mark.parametrize(
    "params",
    [
        {"stage_weights": [1.0, -0.5]},
        {"stage_weights": []},
        {"temperature": 0.0},
        {"stages": -1},
        {"teacher": "wise"},
        {"over_time": "max"},
        {"teacher": "self", "teacher_leads": ["I"]},
        {"teacher": "self", "teacher_model": "cnn1d"},
    ],
)
def test_impossible_parameters_are_refused(distillation, params):
    with pytest.raises(ValidationError):
        distillation.Params(**params)


def test_planning_needs_no_torch():
    code = (
        "import sys; from harness.catalog import Catalog; "
        "Catalog.discover().load('strategy', 'distillation'); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
