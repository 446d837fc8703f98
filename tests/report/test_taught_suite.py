"""A real suite of students on two single leads, with a teacher for each split."""

import json
import shutil
import subprocess
import sys
from statistics import fmean

import pytest
from suites_to_run import run, write_suite

TAUGHT = '''
from harness import Strategy, hookimpl


class Taught(Strategy):
    """Learn on one lead from a network that was trained on three."""

    name = "taught"

    @hookimpl
    def requires(self, cell):
        teacher = cell.with_strategy("baseline").with_options(leads=["I", "II", "V5"])
        return {"teacher": teacher}

    @hookimpl
    def controls(self, cell):
        return {"no distillation": cell.with_strategy("baseline")}

    @hookimpl
    def setup(self, run):
        self.teacher = run.required("teacher").model

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        from torch.nn.functional import kl_div, log_softmax

        told = log_softmax(self.teacher(batch.signals.expand(-1, 3, -1)), 1)
        own = log_softmax(outputs.logits, 1)
        return kl_div(own, told, log_target=True, reduction="none").sum(1)
'''
AXES = 'duration = 2.0\ngrid.leads = [["V5"], ["I"]]\ngrid.split.seed = [0, 1]'

LOADED = """
import sys
from harness.cli.main import main
try:
    main()
finally:
    heavy = {"torch", "matplotlib", "scipy", "sklearn", "pandas"} & set(sys.modules)
    sys.stderr.write(f"loaded {sorted(heavy)}")
"""


class Suite:
    """The suite, once it is done."""

    def __init__(self, folder):
        self.folder = folder
        strategies = '\n[[strategy]]\nuse = "taught"\n'
        self.file = write_suite(folder, strategies, taught=TAUGHT)
        text = self.file.read_text().replace("duration = 2.0", AXES)
        self.file.write_text(text.replace("epochs = 3", "epochs = 1"))
        run("run", str(self.file), cwd=folder)
        self.runs, self.board = folder / "runs", folder / "leaderboard"
        manifest = json.loads((self.runs / "suites" / "small.json").read_text())
        self.cells = {cell["id"]: cell for cell in manifest["cells"]}

    def result(self, cell):
        folder = self.runs / self.cells[cell]["folder"]
        return json.loads((folder / "result.json").read_text())

    def of(self, role, lead=None):
        """Cells by role; taught ones on a lead, or their controls."""
        return [
            cell
            for cell in self.cells.values()
            if cell["role"] == role
            and (lead is None or cell["data"]["options"]["leads"] == [lead])
        ]


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return Suite(tmp_path_factory.mktemp("taught"))


def macro_f1(result):
    return result["metrics"]["test"]["macro_f1"]


def test_each_lead_is_compared_over_all_splits(suite):
    board = json.loads((suite.board / "small.json").read_text())
    (group,) = board["leads"]
    assert (group["data"], group["strategy"]) == ("synthetic", "taught")
    assert [part["leads"] for part in group["leads"]] == [["I"], ["V5"]]
    assert group["problems"] == []
    for part, lead in zip(group["leads"], ("I", "V5"), strict=True):
        (none,) = part["controls"]
        beside = {c["controls"][0]["of"]: c["id"] for c in suite.of("control", lead)}
        apart = [
            macro_f1(suite.result(cell)) - macro_f1(suite.result(beside[cell]))
            for cell in beside
        ]
        assert len(apart) == none["against"]["difference"]["n"] == 2
        found = none["against"]["difference"]["mean"]
        assert found == pytest.approx(fmean(apart), abs=1e-12)
        assert none["against"]["low"] <= found + 1e-6
        assert found <= none["against"]["high"] + 1e-6
        assert part["teacher"]["n"] == 2


def test_the_teacher_of_a_split_is_shared_by_its_two_students(suite):
    assert len(suite.of("required")) == 2
    board = json.loads((suite.board / "small.json").read_text())
    for dataset in board["datasets"]:
        rows = {row["strategy"]: row for row in dataset["tables"][0]["rows"]}
        student = suite.result(rows["taught"]["seeds"][0]["cell"])
        flops = student["cost"]["flops"]
        ((_, teacher),) = student["required"]["cells"].items()
        found = rows["taught"]["amortised"]
        half = flops["training"] + teacher["training_flops"] / 2
        assert found["training_flops"]["mean"] == pytest.approx(half)
        assert found["shared_by"] == [2]
        forwards = flops["by_module"]["required:teacher"]["forward"]
        share = forwards / flops["training"]
        assert found["forward_share"]["mean"] == pytest.approx(share)
        assert "amortised" not in rows["taught: no distillation"]


def test_the_page_says_it_and_shows_a_chart(suite):
    page = (suite.board / "small.md").read_text()
    assert "## With and without a teacher, lead by lead" in page
    assert "- **taught** (synthetic · cnn1d): " in page
    assert "(small/synthetic.cnn1d-taught.leads.svg)" in page
    assert (suite.board / "small" / "synthetic.cnn1d-taught.leads.svg").is_file()


def test_a_finished_suite_leaves_its_page_and_draws_nothing(suite):
    before = {p: p.stat().st_ino for p in suite.board.rglob("*") if p.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, "run", str(suite.file)],
        cwd=suite.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("loaded []")
    after = {p: p.stat().st_ino for p in suite.board.rglob("*") if p.is_file()}
    assert after == before


def test_damaged_predictions_end_on_the_page(suite, tmp_path):
    runs = shutil.copytree(suite.runs, tmp_path / "runs")
    (cell,) = [
        c for c in suite.of("suite", "I") if not c["data"]["options"].get("split")
    ]
    (runs / cell["folder"] / "predictions.npz").write_bytes(b"PK\x03\x04 damaged")
    told = run("report", "small", "--runs", str(runs), cwd=tmp_path)
    assert "Traceback" not in told
    page = (tmp_path / "leaderboard" / "small.md").read_text()
    assert "- I, no distillation: 1 of 2 pairs measured" in page
    assert "taught, seed 0: predictions.npz can't be used: is no archive" in page
