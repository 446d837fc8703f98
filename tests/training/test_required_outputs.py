"""A finished cell, asked about batches that it sees through its own leads."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.data.dataset import leads_beside, open_cell_data
from harness.errors import ConfigError, PluginError
from harness.options import Execution
from harness.plan.plan import make_plan
from harness.suite.resolve import read_suite
from harness.training.run import Run

OWN = ["II", "V5"]


class Students:
    """Runs on two leads that require a finished cell on all."""

    def __init__(self, tiny_run):
        self.runs = tiny_run.runs
        plan = make_plan(*read_suite(tiny_run.suite), self.runs)
        (self.teacher,) = [
            p.cell for p in plan.cells if p.cell.labels["strategy"] == "baseline"
        ]
        data = open_cell_data(self.teacher)
        self.splits = data.load(data.prepare(), 2**30)

    def run(self, *strategies, views=True, **options):
        """A run of two leads, or with other options of the data set."""
        cell = self.teacher.with_options(**(options or {"leads": OWN}))
        cell = cell.replace(requires={"teacher": self.teacher})
        data = open_cell_data(cell)
        beside = leads_beside(cell, data.dataset) if views else ()
        splits = data.load(data.prepare(), 2**30, beside)

        def model():
            return torch.nn.Sequential(
                torch.nn.Conv1d(len(splits.leads), 4, 5, stride=2),
                torch.nn.AdaptiveAvgPool1d(1),
                torch.nn.Flatten(),
                torch.nn.Linear(4, 5),
            )

        folder = self.runs / cell.folder
        run = Run(cell, splits, strategies, model, folder, Execution())
        run.set_model(model())
        return run


@pytest.fixture(scope="module")
def students(tiny_run):
    return Students(tiny_run)


def test_it_answers_what_it_would_of_its_own_records(students):
    run = students.run()
    teacher = run.required("teacher")
    positions = np.arange(9)
    told = teacher.outputs(run.train.batch(positions))
    whole = students.splits.train.batch(positions)
    assert whole.signals.shape[1] == len(teacher.leads) == 12
    assert teacher.leads == students.splits.leads
    assert torch.equal(told.logits, teacher.model(whole.signals))
    assert told.features == {}


def test_its_features_are_those_of_its_submodules(students):
    run = students.run()
    teacher = run.required("teacher")
    names = ["layers.1", "layers.3"]
    batch = run.train.batch(np.arange(5))
    features = teacher.outputs(batch, names).features
    shapes = teacher.feature_shapes(names)
    assert {n: tuple(f.shape) for n, f in features.items()} == {
        name: (5, *shape) for name, shape in shapes.items()
    }
    layers, steps = teacher.model.layers, batch.view(teacher.leads).signals
    for layer in layers[:2]:
        steps = layer(steps)
    assert torch.equal(features["layers.1"], steps)
    with pytest.raises(PluginError, match=r"has no submodule 'layers\.9'"):
        teacher.outputs(batch, ["layers.9"])
    with pytest.raises(PluginError, match="'head' gives no features"):
        teacher.feature_shapes(["head"])


def test_no_gradient_reaches_it_and_no_label(students):
    run = students.run()
    batch = run.train.batch(np.arange(5))
    batch.view(run.required("teacher").leads).signals.requires_grad_()
    nameless = replace(batch, labels=torch.full_like(batch.labels, -1))
    told = run.required("teacher").outputs(nameless, ["layers.3"])
    assert torch.equal(told.logits, run.required("teacher").outputs(batch).logits)
    assert not told.logits.requires_grad
    assert not told.features["layers.3"].requires_grad


def test_what_it_is_asked_is_metered(students):
    run = students.run()
    teacher = run.required("teacher")
    teacher.outputs(run.train.batch(np.arange(7)), ["layers.3"])
    teacher.feature_shapes(["layers.3"])
    assert run.meter.samples_of().forward_samples == 7
    result = students.runs / students.teacher.folder / "result.json"
    cost = json.loads(result.read_text())["cost"]
    one = cost["flops"]["by_module"]["model"]["forward"] // cost["forward_samples"]
    by_module = run.meter.summary(run.model)["flops"]["by_module"]
    assert by_module["required:teacher"] == {"forward": 7 * one, "backward": 0}


def test_of_leads_that_were_not_loaded_nothing_is_told(students):
    run = students.run(views=False)
    with pytest.raises(PluginError, match="has no such view, only of II, V5"):
        run.required("teacher").outputs(run.train.batch(np.arange(2)))


@pytest.mark.parametrize(
    "options",
    [{"seconds": 1.0}, {"leads": OWN, "normalise": "none"}],
)
def test_records_that_it_sees_in_another_way_are_refused(students, options):
    run = students.run(**options)
    teacher = run.required("teacher")
    with pytest.raises(ConfigError, match="other data options must be those") as told:
        teacher.outputs(run.train.batch(np.arange(2)))
    assert f"required cell {students.teacher.title}" in str(told.value)
    # What it gives for its own records is known all the same.
    own = students.run().required("teacher")
    assert teacher.feature_shapes(["layers.0"]) == own.feature_shapes(["layers.0"])
