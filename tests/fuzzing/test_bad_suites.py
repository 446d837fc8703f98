"""Whatever stands in a suite: cells with ids of their own, or a message about the file.

Beside single values, which `test_suite.py` tries: whole files, damaged as bytes, lines
and fields, and tables put together of keys and values that are nearly right.
"""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import (
    EXTREME_NUMBERS,
    HOSTILE_TEXTS,
    SECONDS,
    fuzzed,
    mutated_bytes,
    mutated_lines,
    outcome,
)

from harness.errors import ConfigError, printable
from harness.options import Budget, DataOptions, Execution
from harness.plan.matrix import cells_of
from harness.suite.resolve import read_suite

pytestmark = pytest.mark.timeout(SECONDS, method="thread")

SUITES = Path(__file__).parents[2] / "suites"

# A real model has to be asked about each set of parameters in a process of its own.
PLUGIN = '''
from harness import Field, Model


class Light(Model):
    """A model that needs no torch to be asked for its parameters."""

    name = "light"

    class Params(Model.Params):
        width: int = Field(16, ge=1, le=512)
        rate: float = Field(0.1, ge=0, lt=1)
        kernels: list[int] = Field([3, 5], min_length=1, max_length=4)
        bias: bool = True
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a light model, where suites are written."""
    found = tmp_path_factory.mktemp("suites")
    (found / "plugins").mkdir()
    (found / "plugins" / "light.py").write_text(PLUGIN)
    return found


@pytest.fixture
def assert_cells_or_a_message(folder):
    path = folder / "suite.toml"

    def check(content):
        path.write_bytes(content)
        suite, message = outcome(ConfigError, lambda: read_suite(path)[0])
        if suite is not None:
            labels = {entry.label: "f" * 16 for entry in suite.datasets}
            cells, message = outcome(ConfigError, cells_of, suite, labels)
            if cells is not None:
                assert len({cell.id for cell in cells}) == len(cells)
                assert all(len(cell.folder.parts) == 4 for cell in cells)
                assert all(".." not in cell.folder.parts for cell in cells)
                return
        assert message
        assert len(message) < 100_000
        assert printable(message)

    return check


def shipped(name):
    """A suite of the harness's own, with a light model in place of its models."""
    tables = (SUITES / name).read_text().split("\n[[")
    kept = [t for t in tables if not t.startswith("model]]")]
    text = "\n[[".join([*kept, 'model]]\nuse = "light"\nkernels = [3]\n'])
    return 'plugins = ["plugins"]\n' + text


@pytest.mark.parametrize("name", ["quick.toml", "full.toml", "real.toml"])
def test_a_damaged_suite_of_our_own(assert_cells_or_a_message, name):
    text = shipped(name)
    assert_cells_or_a_message(text.encode())

    @fuzzed(60)
    @given(
        mutated_lines(text)
        | mutated_lines(text, "=")
        | mutated_lines(text, ",")
        | mutated_bytes(text.encode())
    )
    def run(damaged):
        assert_cells_or_a_message(damaged)

    run()


KEYS = {
    "dataset": [
        *DataOptions.model_fields,
        *("use", "label", "grid", "grid.seconds", "grid.leads", "budget.epochs"),
        *("records", "duration", "difficulty", "task", "split.file", "filter.order"),
    ],
    "model": ["use", "label", "width", "rate", "kernels", "bias", "grid.width", "grid"],
    "strategy": [
        *("use", "label", "grid", "grid.confidence", "grid.confidence.x", "confidence"),
        *("budget", "budget.epochs", "dbpd.confidence", "revision_epochs", "min_keep"),
    ],
    "budget": [*Budget.model_fields, "optimizer.lr", "schedule.use", "optimizer.use"],
    "execution": list(Execution.model_fields),
    "exclude": ["dataset", "model", "strategy", "seed"],
}

NAMES = ["synthetic", "light", "baseline", "dbpd", "majority", "adamw", "step", "whole"]


@st.composite
def values(draw, depth=2):
    """A value of TOML, as its text."""
    match draw(st.integers(0, 8 if depth else 5)):
        case 0:
            return draw(st.sampled_from([*EXTREME_NUMBERS[:12], "true", "false"]))
        case 1:
            return str(draw(st.integers(-3, 40)))
        case 2:
            return str(draw(st.floats(-2, 50)))
        case 3:
            return f'"{draw(st.sampled_from(NAMES))}"'
        case 4:
            text = draw(st.sampled_from(HOSTILE_TEXTS))
            return '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"'
        case 5:
            return draw(st.sampled_from(["2020-01-01", "12:00:00", "nan", "-inf"]))
        case 6 | 7:
            return f"[{', '.join(draw(st.lists(values(depth - 1), max_size=3)))}]"
    pairs = draw(st.lists(st.tuples(st.sampled_from(["use", "lr", "x"]), values(0))))
    return "{" + ", ".join(f"{k} = {v}" for k, v in dict(pairs).items()) + "}"


@st.composite
def suites(draw):
    """Tables with keys that a suite knows, and with values that it may not."""
    lines = ['plugins = ["plugins"]']
    defaults = {"dataset": "synthetic", "model": "light", "strategy": "dbpd"}
    for kind in draw(st.permutations(["dataset", "model", "strategy"])):
        for _ in range(draw(st.integers(1, 2))):
            found = {"use": f'"{defaults[kind]}"'}
            for key in draw(st.lists(st.sampled_from(KEYS[kind]), max_size=3)):
                found[key] = draw(values())
            lines += [f"[[{kind}]]", *(f"{k} = {v}" for k, v in found.items())]
    for kind in ("budget", "execution", "exclude"):
        keys = draw(st.lists(st.sampled_from(KEYS[kind]), max_size=2, unique=True))
        if keys:
            header = f"[[{kind}]]" if kind == "exclude" else f"[{kind}]"
            lines += [header, *(f"{key} = {draw(values())}" for key in keys)]
    return "\n".join(lines) + "\n"


TABLES = """plugins = ["plugins"]
{top}
[[dataset]]
use = "synthetic"
{dataset}
[[model]]
use = "light"
[[strategy]]
use = "dbpd"
{strategy}
"""


def suite(top="", dataset="", strategy=""):
    return TABLES.format(top=top, dataset=dataset, strategy=strategy)


@fuzzed(150)
@given(suites())
@example(suite(top="budget = " + "[" * 5000 + "]" * 5000))
@example(suite(top="budget = " + "{a=" * 3000 + "1" + "}" * 3000))
@example(suite(top="seeds = [" + "1" * 5000 + "]"))
@example(suite(top="seeds = [0x" + "f" * 5000 + "]"))
@example(suite(top=f"seeds = {list(range(50_000))}"))
@example(suite(top='title = "\\u001b[2J"'))
@example(suite(dataset='split.file = "\\u0000"'))
@example(suite(dataset='split.file = "~nobody-of-that-name/x"'))
@example(suite(strategy="confidence = 0.3\ngrid.confidence.x = [1]"))
@example(suite(strategy='grid."" = [1]'))
@example(suite(strategy="\n".join(f"grid.x{i} = [1, 2, 3, 4]" for i in range(30))))
@example(suite(strategy='"\\u001b[2J" = 1'))
@example(suite(strategy=f'confidence = "{"x" * 1_000_000}"'))
def test_tables_of_known_keys_and_any_values(assert_cells_or_a_message, text):
    assert_cells_or_a_message(text.encode())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (suite(top="budget = " + "[" * 5000 + "]" * 5000), "is nested too deeply"),
        (suite(top="seeds = [0x" + "f" * 5000 + "]"), "seeds: should be a number of"),
        (suite(top=f"seeds = {list(range(50_000))}"), "it has 50,000 cells; at most"),
        (
            suite(strategy="\n".join(f"grid.x{i} = [1, 2, 3]" for i in range(30))),
            "grid: stands for 205,891,132,094,649 entries; at most 1,000",
        ),
        (
            suite(strategy="confidence = 0.3\ngrid.confidence.x = [1]"),
            "grid.confidence.x: confidence is no table, but 0.3",
        ),
        (suite(top='title = "\\u001b[2J"'), "title: should be text of one line"),
        (suite(strategy='"\\u001b[2J" = 1'), "is no key: a word on one line"),
    ],
)
def test_what_could_hang_or_mislead_is_told(folder, text, told):
    path = folder / "told.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_suite(path)
    assert told in str(error.value)
    assert len(str(error.value)) < 500
    assert printable(error.value) == str(error.value)


@pytest.mark.parametrize("key", ["root", "split.file"])
def test_a_home_that_nobody_has_is_told(harness, tmp_path, key):
    path = tmp_path / "a.toml"
    path.write_text(
        f'[[dataset]]\nuse = "ptbxl"\n{key} = "~nobody-of-that-name/x"\n'
        '[[strategy]]\nuse = "majority"\n'
    )
    ended = harness("plan", path)
    assert ended.code == 2
    assert "the home folder of '~nobody-of-that-name' is unknown" in ended.err


def test_a_thousand_points_of_a_sweep_are_taken(folder):
    path = folder / "sweep.toml"
    values = ", ".join(f"{i / 1000}" for i in range(1, 1001))
    path.write_text(suite(strategy=f"grid.confidence = [{values}]"))
    found, _ = read_suite(path)
    assert len({entry.label for entry in found.strategies}) == 1000


def test_an_endless_file_is_no_suite(tmp_path):
    path = tmp_path / "a.toml"
    path.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="is no regular file"):
        read_suite(path)


def test_a_file_that_can_give_no_name_is_told_before_anything_runs(harness, tmp_path):
    path = tmp_path / "my suite.toml"
    text = '[[dataset]]\nuse = "synthetic"\n[[strategy]]\nuse = "majority"\n'
    path.write_text(text)
    ended = harness("run", path)
    assert ended.code == 2
    assert "name: is missing, and the file's, 'my suite', can't stand" in ended.err
    path.write_text('name = "mine"\n' + text)
    assert harness("plan", path).code == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b'{"train": [], "train": [], "validation": [], "test": []}',
        b'{"train": ["\\u001b[2J"], "validation": ["b"], "test": ["c"]}',
        b'{"train": [[[1]]], "validation": [null], "test": [NaN]}',
        b"\xff\xfe",
        None,
    ],
)
def test_a_damaged_file_of_ids_ends_in_a_message(harness, tmp_path, content):
    path = tmp_path / "a.toml"
    path.write_text(
        '[[dataset]]\nuse = "synthetic"\nrecords = 60\nduration = 2.0\n'
        'split.file = "ids.json"\n[[strategy]]\nuse = "majority"\n'
    )
    ids = tmp_path / "ids.json"
    if content is None:
        ids.symlink_to("/dev/zero")
    else:
        ids.write_bytes(content)
    ended = harness("plan", path)
    assert ended.code == 2
    assert "ids.json" in ended.err
    assert all(c.isprintable() or c == "\n" for c in ended.err)
    assert len(ended.err) < 1000
