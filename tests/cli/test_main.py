"""The mistakes a new user makes: one short message each, and no traceback."""

import json
import subprocess
import sys

import pytest

LEAST = """
[[dataset]]
use = "synthetic"
records = 60
duration = 2.0

[[strategy]]
use = "majority"
"""

BROKEN = {"syntax.py": "def broken(:\n", "empty.py": "x = 1\n"}

MISSPELT_HOOK = """
from harness import Strategy, hookimpl

class Misspelt(Strategy):
    name = "misspelt"

    @hookimpl
    def select_sample(self, run, batch):
        return None
"""

STRATEGY = """
from harness import Strategy

class {name}(Strategy):
    "Does nothing of its own."
    name = "{plugin}"
"""


@pytest.fixture
def refused(harness, tmp_path):
    """The message with which a suite is refused."""

    def refuse(content, *arguments, command="plan"):
        suite = tmp_path / "suite.toml"
        suite.write_text(content)
        ended = harness(command, suite, *arguments)
        assert ended.code == 2
        assert ended.out == ""
        assert "Traceback" not in ended.err
        return ended.err

    return refuse


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"majority"', '"dbdp"', "unknown strategy 'dbdp'; did you mean 'dbpd'?"),
        ('"majority"', '"zzz"', "unknown strategy 'zzz'; known: baseline, dbpd"),
        ('"synthetic"', '"syntetic"', "did you mean 'synthetic'?"),
        ("records = 60", "record = 60", "record: unknown key; did you mean 'records'?"),
        ("records = 60", 'records = "many"', "records: should be a valid integer"),
        (
            "records = 60",
            "records = 0",
            "records: should be greater than or equal to 1",
        ),
        ("records = 60", "leeds = ['I']", "leeds: unknown key; did you mean 'leads'?"),
        (
            "records = 60",
            "leads = 'I'",
            "leads: should be a list, in brackets, got 'I'",
        ),
        (
            "records = 60",
            "split = { sed = 1 }",
            "sed: unknown key; did you mean 'seed'?",
        ),
        (
            "records = 60",
            "split = { seed = 0.5 }",
            "split.seed: should be a valid integer",
        ),
        ('use = "majority"', "", "[[strategy]] 1 (?) use: should be a name"),
        ("records = 60", "label = 3", "label: should be a line of text, got 3"),
        ('"majority"', '"dbpd"\nbudget = 3', "budget: should be a table, got 3"),
        ("[[dataset]]", "[dataset]", "dataset: should be a list: write [[dataset]]"),
        ("records = 60", "lable = 'x'", "lable: unknown key; did you mean 'label'?"),
        ('"majority"', '"dbpd"\nbudgt = {}', "did you mean 'budget'?"),
        ('"majority"', '"baseline"', "no [[model]]: name one"),
        ('"majority"', '"dbpd"\nconfidenc = 0.3', "did you mean 'confidence'?"),
        ('"majority"', '"dbpd"\nconfidence = 2', "should be less than or equal to 1"),
    ],
)
def test_a_mistake_in_an_entry_is_named(refused, old, new, expected):
    message = refused(LEAST.replace(old, new))

    assert expected in message
    assert message.startswith("error: ")
    assert "suite.toml" in message


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("seed = [0]", "seed: unknown key; did you mean 'seeds'?"),
        ("seeds = [0.5]", "seeds[1]: should be a valid integer"),
        ("seeds = [0, 0]", "seeds: one stands twice"),
        ("[budget]\nepoch = 3", "epoch: unknown key; did you mean 'epochs'?"),
        ("[budget]\nepochs = 0", "epochs: should be greater than or equal to 1"),
        (
            '[budget]\nprecision = "half"',
            "precision: should be 'fp32', 'bf16' or 'fp16'",
        ),
        ("[execution]\ntime_limit = 3", "did you mean 'time_limit_minutes'?"),
        ('plugins = ["nowhere"]', "nowhere does not exist"),
        ('[[exclude]]\nstrategy = "dbpd"', "no strategy 'dbpd' in this suite"),
    ],
)
def test_a_mistake_at_the_top_is_named(refused, head, expected):
    assert expected in refused(f"{head}\n{LEAST}")


def test_all_mistakes_are_told_at_once(refused):
    message = refused(
        "[budget]\nepoch = 3\nbatch_size = 0\n"
        + LEAST.replace("records", "recods").replace("majority", "majorty")
    )

    for word in ("epochs", "batch_size", "records", "majority"):
        assert word in message


def test_all_mistakes_of_an_entry_are_told_at_once(refused):
    message = refused(
        LEAST.replace("records = 60", 'recods = 60\nnormalise = "always"').replace(
            '"majority"', '"dbpd"\nconfidence = 3\nbudget.epoch = 1'
        )
    )

    for word in ("records", "normalise", "confidence", "epochs"):
        assert word in message


def test_toml_that_is_none_is_told_with_its_line(refused):
    assert "line 2" in refused("name = 'x'\n= 3\n")


def test_a_suite_that_is_not_there_is_told(harness):
    ended = harness("run", "nowhere.toml")

    assert ended.code == 2
    known = (
        "known: dbpd, dbpd-small, distillation, distillation-small, full, lottery, "
        "lottery-small, quick, real"
    )
    assert ended.err == f"error: nowhere.toml: no such suite file; {known}\n"
    assert "did you mean 'quick'?" in harness("run", "quikc").err


@pytest.mark.parametrize("dataset", ["ptbxl", "cinc2017"])
def test_missing_recordings_are_told_with_where_to_get_them(
    refused, monkeypatch, tmp_path, dataset
):
    content = f'[[dataset]]\nuse = "{dataset}"\n[[strategy]]\nuse = "majority"'

    assert "set HARNESS_DATA" in refused(content, command="run")

    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    message = refused(content, command="run")
    assert f"no folder {tmp_path / dataset}" in message
    assert "physionet.org" in message


@pytest.mark.parametrize("option", ["--runs", "--leaderboard"])
def test_a_folder_that_cannot_be_written_is_told(refused, tmp_path, option):
    file = tmp_path / "file"
    file.write_text("")

    message = refused(LEAST, option, file / "below", command="run")

    assert f"results can't be written to {file / 'below'}" in message
    assert option in message


def test_an_option_that_is_wrong_is_told(harness, tmp_path):
    suite = tmp_path / "suite.toml"
    suite.write_text(LEAST)

    ended = harness("run", suite, "--workers", "0")

    assert ended.code == 2
    assert "should be a number above 0, or auto" in ended.err
    assert harness("nonsense").code == 2


def test_a_broken_plugin_is_listed_and_hurts_only_who_uses_it(harness, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, content in BROKEN.items():
        (folder / name).write_text(content)
    (folder / "misspelt.py").write_text(MISSPELT_HOOK)
    suite = tmp_path / "suite.toml"

    listed = harness("list", "--plugins", folder)
    assert listed.code == 0
    assert "SyntaxError: invalid syntax (line 1)" in listed.out
    assert "no public subclass" in listed.out
    assert "select_sample" in listed.out
    assert "Traceback" not in listed.out

    suite.write_text(LEAST)
    assert harness("plan", suite, "--plugins", folder).code == 0

    for name, cause in (("syntax", "SyntaxError"), ("misspelt", "select_sample")):
        suite.write_text(LEAST.replace("majority", name))
        ended = harness("plan", suite, "--plugins", folder)
        assert ended.code == 2
        assert f"strategy '{name}' can't be used" in ended.err
        assert cause in ended.err
        assert "Traceback" not in ended.err


def test_two_plugins_of_one_name_are_refused_with_both_files(harness, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for stem in ("one", "two"):
        (folder / f"{stem}.py").write_text(STRATEGY.format(name="Same", plugin="same"))

    ended = harness("list", "--plugins", folder)

    assert ended.code == 2
    assert str(folder / "one.py") in ended.err
    assert str(folder / "two.py") in ended.err


def test_a_strategy_of_ones_own_is_found_in_every_place(harness, tmp_path, monkeypatch):
    content = STRATEGY.format(name="Mine", plugin="mine")
    place = tmp_path / "elsewhere" / "mine.py"
    place.parent.mkdir()
    place.write_text(content)

    assert "mine " not in harness("list").out
    assert "mine " in harness("list", "--plugins", place).out
    monkeypatch.setenv("HARNESS_PLUGINS", str(place.parent))
    assert "Does nothing of its own." in harness("list").out
    monkeypatch.delenv("HARNESS_PLUGINS")
    suite = tmp_path / "suite.toml"
    suite.write_text('plugins = ["elsewhere"]\n' + LEAST.replace("majority", "mine"))
    assert "no [[model]]" in harness("plan", suite).err


HEAVY = ("torch", "pandas", "sklearn", "scipy", "wfdb", "matplotlib")

WATCHED = """
import sys
from harness.cli.main import main
try:
    main()
finally:
    loaded = [name for name in {heavy!r} if name in sys.modules]
    sys.stderr.write("loaded " + ",".join(loaded))
"""


@pytest.mark.usefixtures("clean_environment")
@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], (*HEAVY, "numpy", "rich")),
        (["run", "--help"], (*HEAVY, "numpy", "rich")),
        (["list"], HEAVY),
        (["show", "dbpd"], HEAVY),
        (["schema"], HEAVY),
        (["doctor"], HEAVY),
        (["plan", "SUITE"], HEAVY),
        (["report", "SUITE"], ("torch",)),
    ],
)
def test_light_commands_import_nothing_heavy(tiny_run, tmp_path, arguments, heavy):
    code = WATCHED.format(heavy=heavy)
    paths = [str(tiny_run.suite) if a == "SUITE" else a for a in arguments]
    if arguments[0] in ("plan", "report"):
        paths += ["--runs", str(tiny_run.runs)]

    done = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "loaded "


def test_a_plan_of_a_thousand_cells_asks_each_plugin_once(harness, tmp_path):
    suite = tmp_path / "big.toml"
    suite.write_text(
        f"seeds = {list(range(50))}\n"
        + LEAST.replace("duration", 'grid.label = ["a", "b"]\nduration')
        + '[[model]]\nuse = "cnn1d"\n'
        + '[[strategy]]\nuse = "dbpd"\ngrid.confidence = [0.1, 0.2, 0.3, 0.4, 0.5]\n'
        + "grid.min_keep = [0, 1]\ncontrols = false\n"
        + '[[exclude]]\nstrategy = "majority"\n'
    )

    ended = harness("plan", suite, "--json")

    assert ended.code == 2  # two labels of one data set describe the same cells
    suite.write_text(
        suite.read_text()
        .replace('grid.label = ["a", "b"]', "")
        .replace("records = 60", "grid.records = [60, 70]")
    )
    plan = json.loads(harness("plan", suite, "--json").out)
    assert len({cell["id"] for cell in plan["cells"]}) == 1000
    shown = harness("plan", suite).out.splitlines()
    assert len(shown) == 2 + 1000 + 2
    assert shown[-1] == "suite big: 1000 cells, 1000 planned"
