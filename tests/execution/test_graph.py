"""Cells that require others, from the suite to the leaderboard."""

import json
import shutil

import pytest
from suites_to_run import BASELINE, results, run, write_suite

STUDENT = '''
import os
from pathlib import Path

from harness import Field, Strategy, hookimpl

DIES = Path("{dies}")


class Student(Strategy):
    """Learn from a trained network as well; die once, if told to."""

    name = "student"

    class Params(Strategy.Params):
        share: float = Field(0.5, ge=0, le=1, description="of the loss")

    @hookimpl
    def requires(self, cell):
        return {{"teacher": cell.with_strategy("baseline")}}

    @hookimpl
    def setup(self, run):
        self.teacher = run.required("teacher").model

    @hookimpl
    def extra_losses(self, run, batch, outputs):
        from torch.nn.functional import kl_div, log_softmax

        told = log_softmax(self.teacher(batch.signals), 1)
        own = log_softmax(outputs.logits, 1)
        each = kl_div(own, told, log_target=True, reduction="none").sum(1)
        return self.params.share * each

    @hookimpl
    def after_step(self, run):
        if run.epoch == 1 and DIES.exists():
            DIES.unlink()
            os.kill(os.getpid(), 9)
'''
HEIR = '''
from harness import Strategy, hookimpl


class Heir(Strategy):
    """Start from a student's weights; watch that student's teacher as well."""

    name = "heir"

    @hookimpl
    def requires(self, cell):
        return {
            "student": cell.with_strategy("student", share=0.3),
            "elder": cell.with_strategy("baseline"),
        }

    @hookimpl
    def setup(self, run):
        run.model.load_state_dict(run.required("student").weights)
        run.log(learnt=run.required("elder").metrics["macro_f1"])
'''
FAMILY = '\n[[strategy]]\nuse = "student"\ngrid.share = [0.3, 0.6]\n'
HEIRS = '\n[[strategy]]\nuse = "heir"\n'


class Family:
    """A suite of students of one teacher, and of their heir, after a suite of
    baselines.
    """

    def __init__(self, folder):
        self.folder = folder
        self.dies = folder / "dies"
        source = STUDENT.format(dies=self.dies)
        self.suite = write_suite(folder, BASELINE, student=source, heir=HEIR)
        self._two_seeds()
        self.first = self.run()
        self.before = self.files("baseline")
        write_suite(folder, FAMILY + HEIRS, student=source, heir=HEIR)
        self._two_seeds()
        self.planned = self.plan()
        self.second = self.run()

    def _two_seeds(self):
        text = self.suite.read_text()
        self.suite.write_text(text.replace("seeds = [0]", "seeds = [0, 1]"))

    def run(self, *options, expect=0):
        return run("run", str(self.suite), *options, cwd=self.folder, expect=expect)

    def plan(self):
        told = run("plan", str(self.suite), "--json", cwd=self.folder)
        return json.loads(told)["cells"]

    def files(self, strategy):
        """Inode and time of every file of a strategy's cells."""
        found = (self.folder / "runs").rglob(f"{strategy}/*/*")
        return {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}

    def results(self, strategy):
        """Every result of a strategy, by seed and id."""
        paths = (self.folder / "runs").rglob(f"{strategy}/*/result.json")
        return {p.parent.name: json.loads(p.read_text()) for p in paths}

    def rows(self):
        board = json.loads((self.folder / "leaderboard" / "small.json").read_text())
        (table,) = board["datasets"][0]["tables"]
        return {row["strategy"]: row for row in table["rows"]}


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    return Family(tmp_path_factory.mktemp("family"))


def test_cells_of_an_earlier_suite_are_used_and_not_trained_again(family):
    states = {(c["strategy"], c["role"], c["state"]) for c in family.planned}
    assert ("baseline", "required", "done") in states
    assert {c["state"] for c in family.planned if c["strategy"] != "baseline"} == {
        "planned"
    }
    assert "8 cells, 2 done, 6 to run" in family.second
    assert family.files("baseline") == family.before


def test_each_student_learns_from_the_teacher_of_its_own_seed(family):
    teachers = {r["seed"]: r["cell"] for r in family.results("baseline").values()}
    students = family.results("student").values()
    assert len(teachers) == 2
    assert len(students) == 4
    for student in students:
        assert student["required"]["roles"] == {"teacher": teachers[student["seed"]]}


def test_the_teachers_forward_passes_count_as_the_students(family):
    for result in family.results("student").values():
        trained = result["cost"]["train_samples"] * 3
        assert result["cost"]["backward_samples"] == trained
        assert result["cost"]["forward_samples"] == 2 * trained
        modules = result["cost"]["flops"]["by_module"]
        assert modules["required:teacher"] == {
            "forward": modules["model"]["forward"],
            "backward": 0,
        }
        assert result["cost"]["audit"]["status"] == "passed"


def test_what_two_roles_share_is_counted_once(family):
    own = {
        r["cell"]: r["cost"]["flops"]["training"]
        for name in ("baseline", "student", "heir")
        for r in family.results(name).values()
    }
    heirs = family.results("heir").values()
    assert len(heirs) == 2
    for heir in heirs:
        required = heir["required"]
        assert set(required["roles"]) == {"elder", "student"}
        assert set(required["cells"]) == set(required["roles"].values())
        everything = [heir["cell"], *required["cells"]]
        assert required["total"]["training_flops"] == sum(own[i] for i in everything)


def test_a_cell_that_requires_nothing_says_nothing_of_it(family):
    for folder in (family.folder / "runs").rglob("baseline/*"):
        assert "required" not in json.loads((folder / "result.json").read_text())
        assert "requires" not in json.loads((folder / "cell.json").read_text())


def test_required_cells_count_on_the_leaderboard_and_are_no_rows(family):
    rows = family.rows()
    assert set(rows) == {"student (share=0.3)", "student (share=0.6)", "heir"}
    baseline = next(iter(family.results("baseline").values()))
    whole = baseline["cost"]["flops"]["training"]
    student = next(iter(family.results("student").values()))
    own = student["cost"]["flops"]["training"]
    shown = rows["student (share=0.3)"]
    assert shown["training_flops"]["mean"] == own + whole
    assert shown["relative_compute"]["mean"] == pytest.approx((own + whole) / whole)
    assert shown["seeds"][0]["own_training_flops"] == own
    page = (family.folder / "leaderboard" / "small.md").read_text()
    assert "hold those of the cells that it requires (baseline: 742 MFLOP)" in page


def test_a_strategy_reads_what_the_required_cell_left(family):
    for folder in (family.folder / "runs").rglob("heir/*"):
        first = json.loads((folder / "history.jsonl").read_text().splitlines()[0])
        seed = json.loads((folder / "result.json").read_text())["seed"]
        teachers = family.results("baseline").values()
        (teacher,) = [t for t in teachers if t["seed"] == seed]
        assert first["learnt"] == teacher["metrics"]["validation"]["macro_f1"]


def test_a_killed_student_goes_on_to_the_same_bytes(family, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(family.folder / "runs", runs)
    killed = sorted(runs.rglob("student/0-*"))[0]
    shutil.rmtree(killed)
    shutil.rmtree(next(runs.rglob("heir/0-*")))
    family.dies.touch()
    run("run", str(family.suite), "--runs", str(runs), cwd=family.folder)
    assert not family.dies.exists()
    assert json.loads((killed / "measured.json").read_text())["attempts"] == 2
    assert results(runs) == results(family.folder / "runs")


def test_what_a_student_will_cost_is_told_before_its_teacher_is_trained(family):
    told = run(
        *("plan", str(family.suite), "--estimate", "--json", "--runs", "none"),
        cwd=family.folder,
    )
    costs = {c["id"]: c["cost"] for c in json.loads(told[told.index("{") :])["cells"]}
    for name in ("baseline", "student"):
        for result in family.results(name).values():
            cost = costs[result["cell"]]
            assert cost["flops"] == result["cost"]["flops"]["training"]
            assert not cost["measured"]


def test_a_student_is_judged_with_and_without_its_teacher_beside_it(family, tmp_path):
    folder = next((family.folder / "runs").rglob("student/0-*"))
    result = json.loads((folder / "result.json").read_text())
    moved = tmp_path / "model.safetensors"
    shutil.copy(folder / "model.safetensors", moved)
    plugins = ("--plugins", str(family.folder / "plugins"))
    for weights in (folder, moved):
        told = run("evaluate", str(weights), "--json", *plugins, cwd=tmp_path)
        assert json.loads(told)["metrics"] == result["metrics"]["test"]


def test_an_edited_teacher_makes_all_stale_that_learnt_from_it(family):
    source = STUDENT.format(dies=family.dies)
    plugin = family.folder / "plugins" / "student.py"
    plugin.write_text(source + "# new\n")
    states = {(c["strategy"], c["state"]) for c in family.plan()}
    plugin.write_text(source)
    assert states == {
        ("baseline", "done"),
        ("student (share=0.3)", "stale"),
        ("student (share=0.6)", "stale"),
        ("heir", "stale"),
    }
    assert {c["state"] for c in family.plan()} == {"done"}


ELDER = '''
from harness import Strategy, hookimpl


class Elder(Strategy):
    """Fails until it is mended."""

    name = "elder"

    @hookimpl
    def setup(self, run):
        {body}
'''
PUPIL = '''
from harness import Strategy, hookimpl


class Pupil(Strategy):
    """Requires a cell and does nothing with it."""

    name = "{name}"

    @hookimpl
    def requires(self, cell):
        return {{"elder": cell.with_strategy("{elder}")}}
'''


def test_what_requires_a_failed_cell_is_blocked_until_that_one_is_mended(tmp_path):
    def write(body):
        return write_suite(
            tmp_path,
            '\n[[strategy]]\nuse = "pupil"\n\n[[strategy]]\nuse = "grand-pupil"\n'
            + BASELINE,
            elder=ELDER.format(body=body),
            pupil=PUPIL.format(name="pupil", elder="elder"),
            grand=PUPIL.format(name="grand-pupil", elder="pupil"),
        )

    suite = write("raise KeyError('oh')")
    told = run("run", str(suite), cwd=tmp_path, expect=1)
    elder, pupil = (f"synthetic / cnn1d / {n} / seed 0" for n in ("elder", "pupil"))
    assert f"requires {elder}, which failed" in told
    assert f"requires {pupil}, which is blocked" in told
    assert "2 blocked, 1 done, 1 failed" in told
    page = (tmp_path / "leaderboard" / "small.md").read_text()
    assert f"**pupil**: seed 0 blocked (blocked): requires {elder}" in page
    assert "## Required cells that aren't done" in page
    assert "- elder, seed 0: failed (plugin): plugin 'elder'" in page

    plan = run("plan", str(suite), cwd=tmp_path)
    assert f"failed: {elder}: plugin: plugin 'elder' (elder.py" in plan
    assert f"blocked: {pupil}: requires elder: {elder}, which failed" in plan

    write("pass")
    told = run("run", str(suite), cwd=tmp_path)
    assert "4 cells, 1 done, 3 to run" in told
    assert "4 done" in told
    states = json.loads(run("plan", str(suite), "--json", cwd=tmp_path))["cells"]
    assert {(c["state"], c["reason"]) for c in states} == {("done", None)}
