"""A finished cell in the hands of a strategy."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from harness import Strategy, hookimpl
from harness.data.dataset import open_cell_data
from harness.errors import DataError, PluginError
from harness.options import Execution
from harness.plan.plan import make_plan
from harness.results.requirement import Requirement
from harness.suite.resolve import read_suite
from harness.training.checkpoint import checkpoint_key, load_checkpoint
from harness.training.run import Run

CHECKPOINTS = Execution(checkpoint_seconds=0.0)


class Finished:
    """The runs of a small suite, copied, and runs of cells that require its cells."""

    def __init__(self, tiny_run, folder):
        self.runs = folder / "runs"
        shutil.copytree(tiny_run.runs, self.runs)
        plan = make_plan(*read_suite(tiny_run.suite), self.runs)
        self.cells = {p.cell.labels["strategy"]: p.cell for p in plan.cells}
        data = open_cell_data(self.cells["baseline"])
        self.splits = data.load(data.prepare(), 2**30)

    def folder(self, name):
        return self.runs / self.cells[name].folder

    def run(self, *strategies, **roles):
        """A run of a cell that requires others, by role and strategy."""
        requires = {role: self.cells[name] for role, name in roles.items()}
        cell = self.cells["baseline"].replace(requires=requires)
        return Run(
            cell,
            self.splits,
            strategies,
            self._model,
            self.runs / cell.folder,
            CHECKPOINTS,
        )

    def _model(self):
        inputs = len(self.splits.leads) * self.splits.samples
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(inputs, 5))


@pytest.fixture
def finished(tiny_run, tmp_path, torch_as_before):
    return Finished(tiny_run, tmp_path)


def test_the_network_predicts_what_the_finished_cell_predicted(finished):
    model = finished.run(teacher="dbpd").required("teacher").model
    validation = finished.splits.validation
    signals = validation.batch(np.arange(len(validation))).signals
    with np.load(finished.folder("dbpd") / "predictions.npz") as predictions:
        expected = predictions["validation_probabilities"]
    found = model(signals).softmax(1).numpy()
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_network_stays_frozen_and_in_eval_mode(finished):
    model = finished.run(teacher="baseline").required("teacher").model
    torch.nn.ModuleList([model]).train()
    model.train()
    assert not any(part.training for part in model.modules())
    assert not any(p.requires_grad for p in model.parameters())


def test_weights_history_cost_and_validation_metrics_are_those_of_the_files(finished):
    required = finished.run(teacher="baseline").required("teacher")
    folder = finished.folder("baseline")
    result = json.loads((folder / "result.json").read_text())
    saved = load_file(folder / "model.safetensors")
    assert all(torch.equal(required.weights[name], saved[name]) for name in saved)
    assert set(required.weights) == set(saved)
    rows = (folder / "history.jsonl").read_text().splitlines()
    assert required.history == [json.loads(row) for row in rows]
    assert required.cost == result["cost"]
    assert required.metrics == result["metrics"]["validation"]


def test_what_each_epoch_kept_is_that_of_the_file(finished):
    required = finished.run(easy="dbpd", all="baseline").required
    kept = required("easy").kept
    assert kept.sum(1).tolist() == [row["kept"] for row in required("easy").history]
    assert required("all").kept is None
    (finished.folder("dbpd") / "kept.npz").unlink()
    with pytest.raises(DataError, match=r"kept\.npz"):
        _ = finished.run(easy="dbpd").required("easy").kept
    np.savez(finished.folder("dbpd") / "kept.npz", kept=kept[:1])
    with pytest.raises(DataError, match="isn't of its epochs"):
        _ = finished.run(easy="dbpd").required("easy").kept


def test_a_snapshot_is_that_of_the_file(finished):
    required = finished.run(easy="dbpd").required("easy")
    folder = finished.folder("dbpd") / "snapshots"
    saved = load_file(folder / "before-revision.safetensors")
    found = required.snapshot("before-revision")
    assert all(torch.equal(found[name], saved[name]) for name in saved)
    with pytest.raises(DataError, match="it kept no snapshot 'ticket-round=2'"):
        required.snapshot("ticket", round=2)
    cut(folder / "before-revision.safetensors")
    with pytest.raises(DataError, match="snapshot 'before-revision' can't be read"):
        required.snapshot("before-revision")


def test_nothing_of_the_test_split_is_to_be_had(finished):
    required = finished.run(teacher="baseline").required("teacher")
    names = {name for name in dir(required) if not name.startswith("_")}
    files = {"weights", "snapshot", "history", "kept", "cost", "metrics"}
    network = {"model", "outputs", "feature_shapes", "leads"}
    assert names == {"id", "refuse", *network, *files}
    shown = json.dumps([required.history, required.cost, required.metrics])
    assert "test" not in shown


def test_an_unknown_role_is_refused_with_those_that_there_are(finished):
    with pytest.raises(PluginError, match="no such role; the cell requires 'teacher'"):
        finished.run(teacher="baseline").required("techer")
    with pytest.raises(PluginError, match="the cell requires nothing"):
        finished.run().required("teacher")


def test_its_forward_passes_are_metered(finished):
    run = finished.run(teacher="baseline")
    signals = finished.splits.train.batch(np.arange(7)).signals
    run.required("teacher").model(signals)
    run.required("teacher").model(signals[:2])
    assert run.meter.samples_of().forward_samples == 9
    assert run.meter.samples_of().backward_samples == 0
    cost = json.loads((finished.folder("baseline") / "result.json").read_text())["cost"]
    one = cost["flops"]["by_module"]["model"]["forward"] // cost["forward_samples"]
    run.set_model(torch.nn.Linear(1, 1))
    by_module = run.meter.summary(run.model)["flops"]["by_module"]
    assert by_module["required:teacher"] == {"forward": 9 * one, "backward": 0}


def test_roles_that_share_a_cell_share_its_network(finished):
    run = finished.run(b="baseline", a="baseline", c="dbpd")
    first = run.required("b").model
    assert run.required("a").model is first
    assert run.required("c").model is not first
    first(finished.splits.train.batch(np.arange(3)).signals)
    assert run.meter.samples_of().forward_samples == 3


def test_building_it_draws_no_random_numbers_of_the_run(finished):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert finished.run(teacher="baseline").required("teacher").model
    assert torch.equal(torch.rand(3), expected)


class Follows(Strategy):
    name = "follows"

    @hookimpl
    def setup(self, run):
        self.teacher = run.required("teacher").model

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        return (self.teacher(batch.signals) - outputs.logits).square().mean(1)


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(part)


def test_it_is_part_of_no_checkpoint(finished):
    run = finished.run(Follows(), teacher="dbpd")
    run.execute()
    folder = finished.runs / run.cell.folder
    state = load_checkpoint(folder, checkpoint_key(run.cell))
    assert state is not None
    held = list(tensors_in(state))
    own = run.model[1].weight
    assert any(torch.equal(tensor, own) for tensor in held)
    for weight in run.required("teacher").model.parameters():
        assert not any(torch.equal(tensor, weight) for tensor in held)
    trained = run.meter.samples_of().forward_samples
    assert trained == 2 * run.cell.budget.epochs * len(run.train)


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def other_id(path):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "cell": "0" * 12}))


def edited(path):
    content = json.loads(path.read_text())
    content["provenance"]["plugins"]["strategy baseline"] = "0" * 16
    path.write_text(json.dumps(content))


def of_another_cell(path):
    (dbpd,) = path.parents[2].glob("dbpd/*/model.safetensors")
    shutil.copy(dbpd, path)


def no_metrics(path):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "metrics": []}))


def everything_of(required):
    return required.model, required.history, required.metrics


DAMAGE = [
    ("result.json", lambda p: p.unlink(), "it isn't done, result.json is missing"),
    ("result.json", cut, "result.json can't be read"),
    ("result.json", other_id, "result.json is of another cell"),
    ("result.json", edited, "a plugin was edited since it was trained"),
    ("result.json", no_metrics, "result.json holds no metrics"),
    ("model.safetensors", lambda p: p.unlink(), "model.safetensors is missing"),
    ("model.safetensors", cut, "is no safetensors file"),
    ("model.safetensors", of_another_cell, "model.safetensors is of cell"),
    ("history.jsonl", cut, "required cell"),
    ("history.jsonl", lambda p: p.write_text("1\n"), "history.jsonl holds no rows"),
]


@pytest.mark.parametrize(("name", "damage", "told"), DAMAGE)
def test_a_damaged_cell_is_never_believed(name, damage, told, finished):
    damage(finished.folder("baseline") / name)
    run = finished.run(teacher="baseline")
    with pytest.raises(DataError, match=told) as error:
        everything_of(run.required("teacher"))
    cell = finished.cells["baseline"]
    assert f"required cell {cell.title} ({cell.id})" in str(error.value)


def test_a_run_does_not_begin_without_what_it_requires(finished):
    (finished.folder("baseline") / "result.json").unlink()
    with pytest.raises(DataError, match="it isn't done"):
        finished.run(teacher="baseline").execute()


def test_a_network_that_a_strategy_made_is_to_be_had_as_weights(finished):
    required = finished.run(floor="majority").required("floor")
    with pytest.raises(DataError, match="take `weights`"):
        _ = required.model
    assert required.weights


def test_a_cell_that_is_not_there_has_a_network_that_refuses_to_answer(finished):
    run = finished.run(teacher="baseline")
    cell = finished.cells["baseline"]
    run.requirements = {"teacher": Requirement(cell, cell.id, None)}
    required = run.required("teacher")
    signals = finished.splits.train.batch(np.arange(3)).signals
    assert required.model(signals).shape == (3, 5)
    required.refuse()
    with pytest.raises(DataError, match="it isn't there"):
        required.model(signals)
    with pytest.raises(DataError, match="it isn't there"):
        _ = required.metrics
