"""The controls that stand beside a cell: planned, named and given what they match."""

import pytest

from harness.errors import ConfigError
from harness.plan.plan import make_plan
from harness.suite.resolve import read_suite

HEAD = """
name = "claims"
[budget]
epochs = 3
early_stopping = { patience = 3 }
[[dataset]]
use = "synthetic"
records = 60
leads = ["II"]
[[model]]
use = "cnn1d"
"""
PLUGIN = '''
import numpy as np

from harness import Strategy, equal_budget, hookimpl


class Half(Strategy):
    """Trains on every second record."""

    name = "half"

    @hookimpl
    def select_epoch(self, run):
        return np.arange(0, len(run.train), 2), None


class Proud(Strategy):
    """Names its controls itself."""

    name = "proud"

    @hookimpl
    def controls(self, cell):
        return {"plain": cell.with_strategy("baseline"), **equal_budget(cell)}


class Wrong(Strategy):
    """Answers no cells."""

    name = "wrong"

    @hookimpl
    def controls(self, cell):
        return {"a": "baseline"}


class Sure(Strategy):
    """Has one control for all of its rates."""

    name = "sure"

    class Params(Strategy.Params):
        rate: int = 0

    @hookimpl
    def controls(self, cell):
        return {"plain": cell.with_strategy("baseline")}


class Claims(Strategy):
    """Claims a role that isn't its own."""

    name = "claims"

    class Params(Strategy.Params):
        role: str = ""

    @hookimpl
    def requires(self, cell):
        return {self.params.role: cell.with_strategy("baseline")}


class Added(Strategy):
    """Is to stand beside its own cell without it."""

    name = "added"

    @hookimpl
    def controls(self, cell):
        return {"without": cell.without("added")}


class Twin(Strategy):
    """Has a control of a name that another has."""

    name = "twin"

    @hookimpl
    def controls(self, cell):
        return {"plain": cell.with_strategy("linear")}
'''
DEFAULT = [
    "baseline at equal epochs",
    "baseline at equal FLOPs",
    "random at equal counts",
]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The file of the strategies above."""
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def plan(own, tmp_path):
    def planned(strategies, head=HEAD):
        path = tmp_path / "suite.toml"
        path.write_text(f"plugins = ['{own}']\n{head}{strategies}")
        return make_plan(*read_suite(path), tmp_path / "runs")

    return planned


def strategy(use, more=""):
    return f'[[strategy]]\nuse = "{use}"\n{more}\n'


def controls(found):
    """By name; a control may stand beside several."""
    return {
        c["name"]: p for p in found.cells if p.role == "control" for c in p.controls
    }


def test_what_selects_samples_has_three_controls(plan):
    found = plan(strategy("half"))
    (half,) = [p for p in found.cells if p.role == "suite"]
    beside = controls(found)
    assert list(beside) == DEFAULT
    assert {c["of"] for p in beside.values() for c in p.controls} == {half.cell.id}
    labels = [p.cell.labels["strategy"] for p in beside.values()]
    assert labels == [f"half: {name}" for name in DEFAULT]
    names = [p.cell.strategy_name for p in beside.values()]
    assert names == ["baseline", "baseline", "smrd"]
    roles = [dict(p.cell.requires) for p in beside.values()]
    assert roles == [{"match": half.cell}, {"match": half.cell}, {"counts": half.cell}]


def test_what_a_control_is_matched_to_is_part_of_its_identity(plan):
    text = '[[strategy]]\nuse = "dbpd"\ngrid.confidence = [0.3, 0.5]\n'
    found = plan(text)
    assert len({p.cell.id for p in found.cells}) == len(found.cells) == 8
    matched = controls(plan(strategy("half")))["baseline at equal FLOPs"].cell
    assert matched.identity["budget"]["match"] == {"what": "flops"}
    assert list(matched.identity["requires"]) == ["match"]
    assert matched.budget.early_stopping is None


def test_the_baseline_has_no_controls_nor_have_controls(plan):
    assert len(plan(strategy("baseline")).cells) == 1
    assert len(plan(strategy("half")).cells) == 4


def test_a_suite_says_which_controls_it_wants(plan):
    assert not controls(plan(strategy("half", "controls = false")))
    one = plan(strategy("half", 'controls = ["random at equal counts"]'))
    assert list(controls(one)) == ["random at equal counts"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("controls = 3", "controls: should be true, false, or a list of names, got 3"),
        ('controls = ["random"]', "it has no control 'random'; known: "),
    ],
)
def test_a_wrong_wish_is_told(plan, more, told):
    with pytest.raises(ConfigError, match=told):
        plan(strategy("half", more))


def test_a_strategy_names_its_own_controls(plan):
    found = plan(strategy("proud"))
    assert list(controls(found)) == ["plain", *DEFAULT[:2]]


def test_a_control_that_the_suite_declares_is_one_cell(plan):
    found = plan(strategy("baseline") + strategy("proud"))
    (plain,) = [p for p in found.cells if p.cell.labels["strategy"] == "baseline"]
    assert (plain.role, plain.controls[0]["name"]) == ("suite", "plain")
    assert list(controls(found)) == DEFAULT[:2]


def test_composed_strategies_have_the_controls_of_each(plan):
    text = '[[strategy]]\nuse = ["proud", "dbpd"]\n'
    beside = controls(plan(text))
    assert set(beside) == {"plain", *DEFAULT}
    assert beside["random at equal counts"].cell.strategy_name == "proud+smrd"


@pytest.mark.parametrize(
    ("use", "rest"),
    [
        ('"added"', '"baseline"'),
        ('["added", "dbpd"]\ndbpd.confidence = 0.4', '"dbpd"\nconfidence = 0.4'),
        (
            '["dbpd", "added", "prior-vote"]\ndbpd.confidence = 0.4',
            '["dbpd", "prior-vote"]\ndbpd.confidence = 0.4',
        ),
    ],
    ids=["alone", "of two", "of three"],
)
def test_a_cell_without_a_strategy_is_the_one_that_a_suite_would_declare(
    plan, use, rest
):
    entries = [f"[[strategy]]\nuse = {named}\n" for named in (use, rest)]
    (declared,) = plan(entries[1] + "controls = false\n").cells
    beside = controls(plan(entries[0] + 'controls = ["without"]\n'))
    assert beside["without"].cell.id == declared.cell.id


def test_a_cell_can_t_be_without_what_it_hasn_t(plan):
    (declared,) = plan('[[strategy]]\nuse = "baseline"\n').cells
    with pytest.raises(ConfigError, match="isn't trained by 'added'"):
        declared.cell.without("added")


def test_controls_of_one_name_are_refused(plan):
    with pytest.raises(ConfigError, match="'twin' and another strategy both have"):
        plan('[[strategy]]\nuse = ["proud", "twin"]\n')


def test_an_answer_that_is_no_cell_is_refused(plan):
    with pytest.raises(ConfigError, match="controls: 'a' must be a cell"):
        plan(strategy("wrong"))


def test_any_strategy_can_be_matched_to_another_row(plan):
    text = strategy("half", "controls = false") + strategy(
        "baseline", 'label = "as long"\nbudget.match = { what = "flops", of = "half" }'
    )
    half, matched = plan(text).cells
    assert matched.cell.requires == {"match": half.cell}
    # What the other is called says nothing of what is computed.
    renamed = text.replace('of = "half"', 'of = "50 %"').replace(
        "controls", 'label = "50 %"\ncontrols'
    )
    assert plan(renamed).cells[1].cell.id == matched.cell.id


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ("hal", r"budget.match.of: no strategy 'hal' beside it; did you mean 'half'"),
        ("as long", "'as long' has a matched budget itself"),
    ],
)
def test_what_cannot_be_matched_is_told(plan, of, told):
    text = strategy("half", "controls = false") + strategy(
        "baseline",
        f'label = "as long"\nbudget.match = {{ what = "flops", of = "{of}" }}',
    )
    with pytest.raises(ConfigError, match=told):
        plan(text)


def test_only_the_baseline_can_be_as_long_as_another_row(plan):
    text = strategy("half", "controls = false") + strategy(
        "dbpd", 'label = "long"\nbudget.match = { what = "flops", of = "half" }'
    )
    with pytest.raises(ConfigError, match="only 'baseline' can be as long"):
        plan(text)


def test_a_row_that_repeats_a_control_is_that_control(plan):
    """The same id is the same cell, whoever named it."""
    smrd = strategy("smrd", 'draw = "epoch"\ncontrols = false')
    found = plan(strategy("proud", "controls = false") + smrd)
    assert len({p.cell.id for p in found.cells}) == len(found.cells)


def test_a_control_that_several_rows_name_stands_beside_each(plan):
    text = strategy("sure", "grid.rate = [1, 2]") + strategy("baseline")
    found = plan(text)
    (plain,) = [p for p in found.cells if p.cell.labels["strategy"] == "baseline"]
    rows = {p.cell.id for p in found.cells if "rate" in p.cell.labels["strategy"]}
    assert len(rows) == 2
    assert {c["of"] for c in plain.controls} == rows


@pytest.mark.parametrize("role", ["match", "counts"])
def test_a_role_that_was_given_can_not_be_claimed(plan, role):
    """What a cell is matched to is no cost of it: nothing else may pass for that."""
    text = '[[strategy]]\nuse = ["claims", "dbpd"]\n'
    text += f'claims.role = "{role}"\n'
    with pytest.raises(ConfigError, match=f"claims the role '{role}'"):
        plan(text)
