"""What cells require: asked of their strategies, checked, and put into an order."""

import subprocess
import sys

import pytest

from harness.catalog.dependencies import cells_named_by
from harness.errors import ConfigError, PluginError
from harness.plan.complete import Completion
from harness.plan.matrix import cells_of
from harness.plan.plan import make_plan
from harness.plan.requirements import with_required
from harness.suite.resolve import read_suite

HEAD = """
name = "family"
[budget]
epochs = 2
[[dataset]]
use = "synthetic"
records = 60
leads = ["II"]
[[model]]
use = "cnn1d"
"""
PLUGIN = '''
from harness import Field, Strategy, hookimpl


class {class_name}(Strategy):
    """A strategy for tests."""

    name = "{name}"

    class Params(Strategy.Params):
        depth: int = Field(1, ge=0, description="of the family")

    @hookimpl
    def requires(self, cell):
        {body}
'''
NEEDS = {
    "student": 'return {"teacher": cell.with_strategy("baseline")}',
    "other": 'return {"teacher": cell.with_strategy("baseline")}',
    "of-all-leads": (
        'return {"a": cell.with_strategy("baseline").with_options(leads=None)}'
    ),
    "of-another-all": (
        'return {"a": cell.with_strategy("dbpd", confidence=0.4)'
        '.with_model("resnet1d", width=4).with_options(leads=None)'
        '.with_budget(epochs=5, optimizer={"lr": 0.1}).replace(seed=7)}'
    ),
    "of-a-floor": 'return {"a": cell.with_strategy("linear")}',
    "of-composed": (
        'return {"a": cell.with_strategy("dbpd", "baseline", dbpd={"confidence": 0.4})}'
    ),
    "heir": (
        "left = self.params.depth\n"
        "        if left == 0:\n"
        '            return {"elder": cell.with_strategy("baseline")}\n'
        '        return {"elder": cell.with_strategy("heir", depth=left - 1)}'
    ),
    "hen": 'return {"from": cell.with_strategy("egg")}',
    "egg": 'return {"from": cell.with_strategy("hen")}',
    "endless": 'return {"elder": cell.replace(seed=cell.seed + 1)}',
    "of-no-lead": 'return {"a": cell.with_options(leads=["X"])}',
}


def strategy(use):
    return f'[[strategy]]\nuse = "{use}"\n'


def write_plugins(path, bodies):
    path.parent.mkdir(exist_ok=True)
    parts = [
        PLUGIN.format(class_name=f"Test{i}", name=name, body=body)
        for i, (name, body) in enumerate(bodies.items())
    ]
    path.write_text("".join(parts))
    return path


@pytest.fixture(scope="module")
def needy(tmp_path_factory):
    """The file of the strategies in `NEEDS`."""
    return write_plugins(tmp_path_factory.mktemp("needy") / "needy.py", NEEDS)


@pytest.fixture
def plan(needy, tmp_path):
    def planned(strategies, head=HEAD):
        path = tmp_path / "suite.toml"
        path.write_text(f"plugins = ['{needy}']\n{head}{strategies}")
        return make_plan(*read_suite(path), tmp_path / "runs")

    return planned


def titles(found):
    return [(p.cell.title, p.role) for p in found.cells]


def required(found):
    """The required one of two cells, and the one that needs it."""
    first, second = found.cells
    assert list(second.cell.requires.values()) == [first.cell]
    assert (first.role, second.role) == ("required", "suite")
    return first.cell, second.cell


def test_a_required_cell_is_the_one_that_another_suite_would_declare(plan):
    (alone,) = plan(strategy("baseline")).cells
    teacher, student = required(plan(strategy("student")))
    assert teacher.id == alone.cell.id
    assert teacher.folder == alone.cell.folder
    assert student.identity["requires"] == {"teacher": teacher.id}


def test_what_is_required_and_declared_appears_once_and_first(plan):
    found = plan(strategy("student") + strategy("baseline"))
    assert titles(found) == [
        ("synthetic / cnn1d / baseline / seed 0", "suite"),
        ("synthetic / cnn1d / student / seed 0", "suite"),
    ]


def test_a_cell_that_is_excluded_still_runs_for_those_that_need_it(plan):
    text = strategy("student") + strategy("baseline")
    found = plan(text + '[[exclude]]\nstrategy = "baseline"\n')
    assert titles(found)[0] == ("synthetic / cnn1d / baseline / seed 0", "required")


def test_every_part_of_a_required_cell_can_be_another(plan):
    teacher, student = required(plan(strategy("of-another-all")))
    assert teacher.strategies[0].params["confidence"] == 0.4
    assert teacher.model is not None
    assert teacher.model.params["width"] == 4
    assert teacher.options.leads is None
    assert teacher.budget.epochs == 5
    assert teacher.budget.optimizer.lr == 0.1
    assert teacher.budget.optimizer.use == student.budget.optimizer.use
    assert teacher.seed == 7
    assert teacher.fingerprint == student.fingerprint
    assert teacher.labels["dataset"] == "synthetic (leads=default)"
    assert teacher.labels["model"] == "resnet1d (width=4)"
    assert str(teacher.labels["strategy"]).startswith("dbpd (confidence=0.4) (epochs=5")


def test_a_required_cell_is_called_as_the_suite_calls_it(plan):
    head = HEAD.replace('leads = ["II"]', 'leads = ["II"]\nlabel = "one lead"')
    head += '[[dataset]]\nuse = "synthetic"\nrecords = 60\nlabel = "twelve"\n'
    text = '[[strategy]]\nuse = "baseline"\nlabel = "plain"\n'
    found = plan(text + strategy("of-all-leads"), head)
    students = [p.cell for p in found.cells if p.cell.strategy_name == "of-all-leads"]
    assert len(students) == 2
    assert {c.requires["a"].title for c in students} == {
        "twelve / cnn1d / plain / seed 0"
    }
    assert {p.role for p in found.cells} == {"suite"}


def test_two_cells_are_never_called_alike(plan):
    text = strategy("baseline") + strategy("student") + "budget.epochs = 9\n"
    assert titles(plan(text))[1] == (
        "synthetic / cnn1d / baseline (epochs=9) / seed 0",
        "required",
    )


def test_a_strategy_without_a_model_takes_none_along(plan):
    (alone,) = plan(strategy("linear")).cells
    assert required(plan(strategy("of-a-floor")))[0].id == alone.cell.id


def test_composed_strategies_can_be_required(plan):
    text = '[[strategy]]\nuse = ["dbpd", "baseline"]\ndbpd.confidence = 0.4\n'
    text += "controls = false\n"
    (alone,) = plan(text).cells
    assert required(plan(strategy("of-composed")))[0].id == alone.cell.id


def test_requirements_of_requirements_come_first(plan):
    found = plan(strategy("heir") + "depth = 2\n")
    assert [p.cell.labels["strategy"] for p in found.cells] == [
        "baseline",
        "heir (depth=0)",
        "heir (depth=1)",
        "heir",
    ]


def test_cells_that_require_one_another_are_refused_by_name(plan):
    with pytest.raises(ConfigError, match="without end") as error:
        plan(strategy("hen"))
    hen, egg = (f"synthetic / cnn1d / {name} / seed 0" for name in ("hen", "egg"))
    assert f"{hen} requires {egg} requires {hen}" in str(error.value)


def test_a_chain_that_never_ends_is_refused_by_name(plan):
    with pytest.raises(ConfigError, match="without end") as error:
        plan(strategy("endless"))
    assert "endless / seed 0 requires" in str(error.value)
    assert "endless / seed 1" in str(error.value)


def test_two_strategies_may_not_claim_one_role(plan):
    told = "'student' and 'other' both claim the role 'teacher'"
    with pytest.raises(ConfigError, match=told):
        plan('[[strategy]]\nuse = ["student", "other"]\n')


WRONG = {
    "return [cell]": "requires must return cells by role, as {'teacher': cell...}, not",
    "return {1: cell}": "a role is a line of text, not 1",
    "return {'teacher': 'baseline'}": "'teacher' must be a cell, as cell.with_strategy",
    "return {'t': cell.replace(strategies=('baseline',))}": "'t' can't be read",
    "return {'t': cell.replace(seed={1})}": "the cell 't' can't be read",
    "return {}[0]": "requires: KeyError: 0 (wrong.py, line LINE)",
    "raise SystemExit(3)": "requires: SystemExit: 3 (wrong.py, line LINE)",
    "return {'t': cell.with_strategy()}": "name a strategy (wrong.py, line LINE)",
    "return {'t': cell.with_strategy('a', 'b', x=1)}": "take a dict each, not x",
    "return {'t': cell.with_options(led=[])}": "with_options led: unknown key",
    "return {'t': cell.with_budget(epochs=0)}": "with_budget epochs: should be greater",
}
IMPOSSIBLE = {
    "return cell": "must return cells by role",
    "import os; os._exit(3)": "its requires ended the interpreter (exit code 3)",
    "return {'t': cell.with_strategy('basline')}": "did you mean 'baseline'?",
    "return {'t': cell.with_strategy('dbpd', confidnce=1)}": "'confidence'?",
    "return {'t': cell.with_strategy('dbpd', confidence=3)}": "less than or equal to 1",
    "return {'t': cell.with_strategy('baseline', 'baseline')}": "named twice",
    "return {'t': cell.with_options(split={'seed': 5})}": "among the cell's test rec",
}


BODIES = [*WRONG, *IMPOSSIBLE]


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """A suite in which every strategy requires what can't be had."""
    folder = tmp_path_factory.mktemp("wrong")
    bodies = {f"wrong-{i}": body for i, body in enumerate(BODIES)}
    file = write_plugins(folder / "wrong.py", bodies)
    path = folder / "suite.toml"
    text = "".join(strategy(name) for name in bodies)
    path.write_text("plugins = ['wrong.py']\n" + HEAD + text)
    suite, catalog = read_suite(path)
    cells = cells_of(suite, {"synthetic": "f" * 16})
    return catalog, dict(zip(BODIES, cells, strict=True)), file


@pytest.mark.parametrize("body", WRONG)
def test_an_answer_that_holds_no_cells_is_refused_with_its_line(body, wrong):
    _, cells, file = wrong
    lines = [text.strip() for text in file.read_text().splitlines()]
    (choice,) = cells[body].strategies
    with pytest.raises(PluginError) as error:
        cells_named_by(
            "requires", str(file), choice.class_name, {}, [cells[body].to_dict()]
        )
    told = WRONG[body].replace("LINE", str(lines.index(body) + 1))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("body", IMPOSSIBLE)
def test_a_requirement_that_cannot_be_met_is_refused_by_name(body, wrong):
    catalog, cells, _ = wrong
    completion = Completion(catalog, lambda cell: cell.fingerprint)
    with pytest.raises(ConfigError) as error:
        with_required([cells[body]], completion, [cells[body]])
    assert IMPOSSIBLE[body] in str(error.value)
    assert f"strategy '{cells[body].strategy_name}' (wrong.py)" in str(error.value)
    assert "Traceback" not in str(error.value)


def test_the_command_tells_of_it_without_a_traceback(harness, plan, tmp_path):
    with pytest.raises(ConfigError):
        plan(strategy("of-no-lead"))
    ended = harness("plan", tmp_path / "suite.toml")
    assert ended.code == 2
    assert ended.err.startswith("error: strategy 'of-no-lead' (")
    assert "dataset 'synthetic': leads: there is no 'X'" in ended.err


def test_without_data_required_cells_are_planned_all_the_same(plan, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", "nowhere")
    head = '[[dataset]]\nuse = "ptbxl"\nleads = ["I"]\n[[model]]\nuse = "cnn1d"\n'
    found = plan(strategy("of-all-leads"), head)
    assert [p.cell.id for p in found.cells] == ["", ""]
    assert "ptbxl" in found.missing_data


def test_planning_imports_no_strategy(tmp_path):
    """Those that distil import torch, which takes a second."""
    file = write_plugins(tmp_path / "student.py", {"student": NEEDS["student"]})
    file.write_text("import torch\n" + file.read_text())
    suite = tmp_path / "suite.toml"
    suite.write_text(f"plugins = ['student.py']\n{HEAD}{strategy('student')}")
    code = (
        "import sys; from pathlib import Path\n"
        "from harness.plan.plan import make_plan\n"
        "from harness.suite.resolve import read_suite\n"
        f"path = Path({str(suite)!r})\n"
        "assert len(make_plan(*read_suite(path), Path('runs')).cells) == 2\n"
        "assert not {'torch', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
