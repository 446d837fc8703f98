"""A cell whose strategy asks a required cell on other leads, from plan to page."""

import json

import pytest
from suites_to_run import run as run_harness
from suites_to_run import write_suite

PUPIL = '''
from harness import Strategy, hookimpl


class Pupil(Strategy):
    """Learns what a network on all leads answers, and from its last features."""

    name = "pupil"

    @hookimpl
    def requires(self, cell):
        elder = cell.with_strategy("untrained").with_options(leads=None)
        return {"elder": elder}

    @hookimpl
    def setup(self, run):
        self.elder = run.required("elder")
        self.last = run.model.features[-1]
        run.keep_features(self.last)
        own = run.feature_shapes(self.last)
        assert own == self.elder.feature_shapes([self.last])

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        from torch.nn.functional import kl_div, log_softmax

        told = self.elder.outputs(batch, [self.last])
        answers = [log_softmax(o.logits, 1) for o in (outputs, told)]
        kl = kl_div(*answers, log_target=True, reduction="none").sum(1)
        apart = outputs.features[self.last] - told.features[self.last]
        run.log_mean(kl=kl, apart=apart.square().mean((1, 2)))
        return kl + apart.square().mean((1, 2))
'''
LEADS = 'duration = 2.0\nleads = ["II", "V1"]\nnormalise = "train-lead"'
ENTRY = '\n[[strategy]]\nuse = "pupil"\n'


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pupils")
    path = write_suite(folder, ENTRY, pupil=PUPIL)
    path.write_text(path.read_text().replace("duration = 2.0", LEADS))
    return path


@pytest.fixture(scope="module")
def plan(suite):
    """What the cells are estimated to cost, before any has run."""
    command = ("plan", str(suite), "--estimate", "--json", "--runs", "none")
    told = run_harness(*command, cwd=suite.parent)
    return {c["strategy"]: c for c in json.loads(told.splitlines()[-1])["cells"]}


@pytest.fixture(scope="module")
def folders(suite, plan):
    """The cells' folders, by strategy."""
    run_harness("run", str(suite), cwd=suite.parent)
    found = suite.parent.glob("runs/*/*/*/*/result.json")
    return {path.parents[1].name: path.parent for path in found}


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def test_both_cells_are_done_each_on_its_leads(folders):
    leads = {name: result_of(f)["dataset"]["leads"] for name, f in folders.items()}
    assert leads["pupil"] == ["II", "V1"]
    assert len(leads["untrained"]) == 12


def test_what_the_other_is_asked_is_counted_and_was_estimated(folders, plan):
    cost = result_of(folders["pupil"])["cost"]
    by_module = cost["flops"]["by_module"]
    asked = by_module["required:elder"]
    assert asked["backward"] == 0
    # The first convolution has six times as many leads to go through.
    assert asked["forward"] > by_module["model"]["forward"]
    assert cost["forward_epochs"] == 2 * cost["effective_epochs"] == 6
    assert cost["audit"]["status"] == "passed"
    estimated = plan["pupil"]["cost"]
    assert estimated["flops"] == cost["flops"]["training"]
    peak = cost["peak_memory_bytes"]["total"]
    assert estimated["memory_bytes"] == pytest.approx(peak, rel=1e-2)


def test_means_of_the_pupil_are_in_its_history(folders):
    lines = (folders["pupil"] / "history.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 3
    assert all(0 < row["kl"] < row["loss"] for row in rows)
    assert rows[-1]["apart"] < rows[0]["apart"]
