"""Presets: named sets of parameters, with what must be known of them."""

import json

import pytest

from harness.errors import ConfigError
from harness.plan.matrix import cells_of
from harness.suite.resolve import read_suite

SUITE = """
name = "presets"
plugins = ["{own}"]
budget.epochs = 3
[[dataset]]
use = "synthetic"
records = 60
[[model]]
use = "cnn1d"
[[strategy]]
"""
PLUGIN = '''
from harness import Field, Preset, Strategy


class Own(Strategy):
    """A method as published, and repaired."""

    name = "own"
    presets = {
        "faithful": Preset(
            params={"rate": 0.5, "bug": True},
            about="as published",
            footnote="it has the bug",
            budget={"epochs": 7, "schedule": {"use": "step", "gamma": 0.9}},
        ),
        "mild": Preset(params={"rate": 0.1}, about="less of it"),
    }

    class Params(Strategy.Params):
        rate: float = Field(0.2, gt=0)
        bug: bool = False


class Other(Strategy):
    """Something to compose with."""

    name = "other"
'''


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The file of the strategies above."""
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def read(own, tmp_path):
    def suite(strategy):
        path = tmp_path / "suite.toml"
        path.write_text(SUITE.format(own=own) + strategy)
        return read_suite(path)[0]

    return suite


def only_cell(suite):
    (cell,) = cells_of(suite, {"synthetic": "f"})
    return cell


def test_a_preset_gives_parameters_budget_and_label(read):
    cell = only_cell(read('use = "own"\npreset = "faithful"'))
    assert cell.strategies[0].params == {"rate": 0.5, "bug": True}
    assert cell.budget.epochs == 7
    assert cell.budget.schedule.gamma == 0.9
    assert cell.labels["strategy"] == "own (faithful)"


def test_what_the_entry_says_comes_over_its_preset(read):
    cell = only_cell(
        read('use = "own"\npreset = "faithful"\nrate = 0.3\nbudget.epochs = 2')
    )
    assert cell.strategies[0].params == {"rate": 0.3, "bug": True}
    assert cell.budget.epochs == 2
    assert cell.budget.schedule.gamma == 0.9


def test_a_preset_is_no_part_of_identity(read):
    preset = only_cell(read('use = "own"\npreset = "mild"'))
    spelt = only_cell(read('use = "own"\nrate = 0.1'))
    assert preset.id == spelt.id


@pytest.mark.parametrize(
    ("text", "footnotes"),
    [
        ('preset = "faithful"', ("it has the bug",)),
        ("rate = 0.5\nbug = true", ("it has the bug",)),
        ('preset = "faithful"\nrate = 0.3', ("it has the bug",)),
        ("rate = 0.5", ()),
        ('preset = "mild"', ()),
    ],
)
def test_a_footnote_follows_the_preset_and_its_parameters(read, text, footnotes):
    cell = only_cell(read(f'use = "own"\n{text}'))
    assert cell.strategies[0].footnotes == footnotes


def test_composed_strategies_take_a_preset_each(read):
    cell = only_cell(read('use = ["own", "other"]\nown.preset = "mild"'))
    assert cell.strategies[0].params["rate"] == 0.1
    assert cell.labels["strategy"] == "own (mild)+other"


def test_presets_can_be_swept(read):
    suite = read('use = "own"\ngrid.preset = ["mild", "faithful"]')
    assert [s.label for s in suite.strategies] == ["own (mild)", "own (faithful)"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'use = "own"\npreset = "faithfull"',
            r"\[\[strategy\]\] 1 \(own\) preset: 'own' has no preset 'faithfull'; "
            "did you mean 'faithful'",
        ),
        ('use = "other"\npreset = "mild"', "'other' has no preset 'mild'; it has none"),
        ('use = "own"\npreset = 3', "'own' has no preset 3"),
    ],
)
def test_an_unknown_preset_is_told(read, text, told):
    with pytest.raises(ConfigError, match=told):
        read(text)


def test_show_tells_what_a_preset_sets(harness, own):
    page = harness("show", "own", "--plugins", own).out
    assert "preset faithful: as published\n    rate = 0.5\n    bug = true\n" in page
    assert '    budget.schedule.use = "step"\n' in page
    assert "    footnote: it has the bug" in page


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"rate": 0.1', '"rate": -1', "Own.presets['mild']: rate: Input should be"),
        ('"rate": 0.1', '"speed": 1', "Own.presets['mild']: speed: Extra inputs"),
        ('Preset(params={"rate": 0.1}, about="less of it")', "3", "must be a Preset"),
    ],
)
def test_a_preset_that_cannot_be_is_the_authors_mistake(
    harness, tmp_path, old, new, told
):
    (tmp_path / "own.py").write_text(PLUGIN.replace(old, new))
    listed = harness("list", "--plugins", tmp_path / "own.py", "--json")
    (broken,) = json.loads(listed.out)["broken"]
    assert told in broken["cause"]
