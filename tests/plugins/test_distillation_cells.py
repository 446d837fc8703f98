"""Cells that are distilled, as the command trains them: their cost, their files."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from suites_to_run import run
from torch.utils.flop_counter import FlopCounterMode

from harness.catalog import Catalog
from harness.data.dataset import open_cell_data
from harness.plan.plan import make_plan
from harness.suite.resolve import read_suite
from harness.training.forward import caught

SUITE = """
name = "taught"
seeds = [0]

[budget]
epochs = 2
batch_size = 16
optimizer = { use = "adamw", lr = 1e-2 }
weights = "last"

[[dataset]]
use = "synthetic"
records = 60
seconds = 2.56
leads = ["I"]

[[model]]
use = "se_resnet"
width = 0.25
blocks = 1
kernel = 7
dropout = 0.0

[[strategy]]
use = "baseline"

[[strategy]]
use = "untrained"

[[strategy]]
use = "distillation"
ramp_middle = 1.0
controls = ["shuffled teacher", "untrained teacher", "self-distillation"]

# One step an epoch, of all records, that moves nothing.
[[strategy]]
use = "distillation"
label = "unmoved"
teacher = "untrained"
ramp_middle = 0.0
stages = 4
weight = 3.0
controls = false
budget = { epochs = 1, batch_size = 1000, optimizer = { lr = 1e-12 } }

[[strategy]]
use = "distillation"
label = "weightless"
weight = 0.0
controls = false

# 3 samples of each batch are kept, in every epoch.
[[strategy]]
use = ["distillation", "dbpd"]
label = "of hard records"
distillation.ramp = false
dbpd.confidence = 1e-9
dbpd.min_keep = 3
dbpd.revision_epochs = 0
controls = false

[[strategy]]
use = "distillation"
label = "of a wider teacher"
preset = "answers"
stages = 2
teacher_model_params = { width = 0.5, stride = 2 }
controls = false
"""


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught")
    (folder / "taught.toml").write_text(SUITE)
    run("run", "taught.toml", "-q", cwd=folder)
    return Taught(folder)


class Taught:
    def __init__(self, folder):
        self.suite = folder / "taught.toml"
        manifest = json.loads((folder / "runs/suites/taught.json").read_text())
        self.cells = manifest["cells"]
        self.runs = folder / "runs"

    def cell(self, label, dataset="synthetic"):
        (found,) = [
            c for c in self.cells if (c["strategy"], c["dataset"]) == (label, dataset)
        ]
        return found

    def folder(self, label, dataset="synthetic"):
        return self.runs / self.cell(label, dataset)["folder"]

    def result(self, label, dataset="synthetic"):
        return json.loads((self.folder(label, dataset) / "result.json").read_text())

    def history(self, label):
        lines = (self.folder(label) / "history.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def by_id(self, cell):
        (found,) = [c for c in self.cells if c["id"] == cell]
        return found

    def teacher(self, label):
        return self.by_id(self.cell(label)["requires"]["teacher"])


def network(leads, **params):
    cls = Catalog.discover().load("model", "se_resnet")
    tiny = {"width": 0.25, "blocks": 1, "kernel": 7, "dropout": 0.0, **params}
    return cls(cls.Params(**tiny)).build(leads, 256, 5)


def forward_flops(leads, **params):
    model = network(leads, **params).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(2, leads, 256))
    return counter.get_total_flops() // 2


def training_flops(leads):
    """Forward and backward of a sample."""
    model = network(leads)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, leads, 256)).sum().backward()
    return counter.get_total_flops() // 2


def test_the_teacher_is_trained_once_on_all_leads_and_shared(taught):
    teacher = taught.teacher("distillation")
    assert teacher["strategy"] == "baseline"
    assert teacher["role"] == "required"
    leads = json.loads((taught.runs / teacher["folder"] / "result.json").read_text())
    assert len(leads["dataset"]["leads"]) == 12
    for label in ("of hard records", "distillation: shuffled teacher"):
        assert taught.teacher(label) == teacher
    there = [c for c in taught.cells if c["dataset"] != "synthetic"]
    assert sorted(c["strategy"] for c in there if c["model"] == teacher["model"]) == [
        "baseline",
        "untrained",
        # On the budget of "unmoved".
        *[c["strategy"] for c in there if "untrained " in c["strategy"]],
    ]


def test_c15_the_controls_have_the_teachers_that_they_are_called_after(taught):
    self_taught = taught.teacher("distillation: self-distillation")
    assert self_taught == taught.cell("baseline")
    untrained = taught.teacher("distillation: untrained teacher")
    assert untrained["strategy"].startswith("untrained")
    assert untrained["dataset"] != "synthetic"
    names = {
        control["name"]
        for cell in taught.cells
        for control in cell.get("controls", ())
        if control["of"] == taught.cell("distillation")["id"]
    }
    assert names == {"shuffled teacher", "untrained teacher", "self-distillation"}


def test_every_step_costs_a_forward_of_the_teacher(taught):
    cost = taught.result("distillation")["cost"]
    seen = 2 * cost["train_samples"]
    assert cost["backward_samples"] == seen
    assert cost["forward_samples"] == 2 * seen
    assert (cost["effective_epochs"], cost["forward_epochs"]) == (2, 4)
    expected = seen * (training_flops(1) + forward_flops(12))
    assert cost["flops"]["training"] == expected
    assert cost["audit"]["status"] == "passed"
    full = taught.result("distillation")["required"]["total"]["training_flops"]
    assert full == expected + seen * training_flops(12)


def test_composed_with_dbpd_it_costs_what_the_hand_computes(taught):
    """Each batch is scored by the student alone; of what is kept the teacher is asked,
    and the student is trained on it.
    """
    cost = taught.result("of hard records")["cost"]
    n, epochs = cost["train_samples"], 2
    batches = [16] * (n // 16) + ([n % 16] if n % 16 else [])
    kept = epochs * sum(min(3, size) for size in batches)
    rows = taught.history("of hard records")
    assert [row["kept"] for row in rows] == [kept // epochs] * epochs
    assert cost["backward_samples"] == kept
    assert cost["forward_samples"] == epochs * n + kept + kept
    student, teacher = forward_flops(1), forward_flops(12)
    forward = (epochs * n + kept) * student + kept * teacher
    assert cost["flops"]["forward"] == forward
    assert cost["flops"]["backward"] == kept * (training_flops(1) - student)
    assert cost["audit"]["status"] == "passed"


def test_without_weight_it_is_plain_training(taught):
    assert taught.cell("weightless")["requires"] == {}
    weights, plain = (
        load_file(taught.folder(label) / "model.safetensors")
        for label in ("weightless", "baseline")
    )
    assert all(torch.equal(weights[name], plain[name]) for name in plain)
    assert taught.result("weightless")["cost"] == taught.result("baseline")["cost"]


def test_a_teacher_changes_the_weights(taught):
    labels = ("baseline", "distillation", "distillation: shuffled teacher")
    stems = [
        load_file(taught.folder(label) / "model.safetensors")["stem.weight"]
        for label in labels
    ]
    for i, one in enumerate(stems):
        assert not any(torch.equal(one, other) for other in stems[i + 1 :])


def test_b6_the_history_tells_the_divergence_of_each_stage(taught):
    """Of both networks as they are initialised, on one batch of all records."""
    (row,) = taught.history("unmoved")
    assert row["steps"] == 1
    plan = make_plan(*read_suite(taught.suite), taught.runs)
    cells = {p.cell.id: p.cell for p in plan.cells}
    seen = {}
    for who, cell in (
        ("student", taught.cell("untrained")),
        ("teacher", taught.teacher("unmoved")),
    ):
        data = open_cell_data(cells[cell["id"]])
        train = data.load(data.prepare(), 2**30).train
        model = network(len(train.leads)).train(who == "student")
        weights = load_file(taught.runs / cell["folder"] / "model.safetensors")
        model.load_state_dict(weights)
        with caught(model, model.features) as seen[who], torch.no_grad():
            model(train.batch(np.arange(len(train))).signals)
    for name in ("stages.0", "stages.1", "stages.2", "stages.3"):
        p, q = (seen[who][name].softmax(1) for who in ("teacher", "student"))
        expected = (p * (p / q).log()).sum(1).mean()
        assert row[f"kl_{name}"] == pytest.approx(float(expected), rel=1e-4)
    total = sum(row[f"kl_stages.{i}"] for i in range(4))
    assert row["distillation_loss"] == pytest.approx(
        3 * row["distillation_ramp"] * total, rel=1e-5
    )


def test_the_history_tells_how_much_the_teacher_weighs(taught):
    rows = taught.history("distillation")
    assert [row["distillation_ramp"] for row in rows] == pytest.approx(
        [1 / (1 + np.exp(1 / 3)), 0.5]
    )
    for row in rows:
        stages = [row["kl_stages.2"], row["kl_stages.3"]]
        weighted = 5.86 * row["distillation_ramp"] * sum(stages)
        assert row["distillation_loss"] == pytest.approx(weighted, rel=1e-5)
        assert 0 < row["distillation_loss"] < row["loss"]


def test_c7_a_wider_teacher_is_followed_through_adapters(taught):
    cost = taught.result("of a wider teacher")["cost"]
    assert cost["audit"]["status"] == "passed"
    # 1x1 convolutions with biases, of 16 and 32 channels to twice as many.
    extra = 16 * 32 + 32 + 32 * 64 + 64
    parameters = cost["parameters"]
    assert parameters["trainable"] == parameters["total"] + extra
    saved = load_file(taught.folder("of a wider teacher") / "model.safetensors")
    assert not any("adapter" in name for name in saved)
    (row, _) = taught.history("of a wider teacher")
    assert {"kl_answers", "kl_stages.2", "kl_stages.3"} <= set(row)
