"""From TOML to cells, and what makes two cells the same."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cell import Cell
from harness.errors import ConfigError
from harness.plan.matrix import cells_of
from harness.plan.plan import make_plan
from harness.suite.resolve import read_suite, resolve_suite

DATASET = '[[dataset]]\nuse = "synthetic"\nrecords = 60\n'
MODEL = '[[model]]\nuse = "cnn1d"\n'
BASELINE = '[[strategy]]\nuse = "baseline"\n'
STRATEGY = '''
from harness import Strategy, hookimpl


class Test(Strategy):
    """A strategy for tests."""

    name = "{name}"

    @hookimpl{marker}
    def {hook}:
        {body}
'''


def read(folder, text):
    path = folder / "a.toml"
    path.write_text(text)
    return read_suite(path)[0]


def cells(folder, text):
    suite = read(folder, text)
    return cells_of(suite, {entry.label: "f" * 16 for entry in suite.datasets})


def problems(folder, text):
    with pytest.raises(ConfigError) as error:
        cells(folder, text)
    return str(error.value)


def plugin(folder, name, hook="after_step(self, run)", body="pass", marker=""):
    (folder / "plugins").mkdir(exist_ok=True)
    source = STRATEGY.format(name=name, hook=hook, body=body, marker=marker)
    (folder / "plugins" / f"{name}.py").write_text(source)
    return 'plugins = ["plugins"]\n'


def test_the_matrix_is_every_combination(tmp_path):
    found = cells(
        tmp_path,
        "seeds = [3, 4]\n"
        + DATASET
        + MODEL
        + '[[model]]\nuse = "resnet1d"\n'
        + BASELINE
        + '[[strategy]]\nuse = "dbpd"\n',
    )
    assert len(found) == 2 * 2 * 2
    assert len({cell.id for cell in found}) == 8


def test_a_floor_is_one_cell_whatever_the_models(tmp_path):
    found = cells(
        tmp_path,
        DATASET
        + MODEL
        + '[[model]]\nuse = "resnet1d"\n'
        + '[[strategy]]\nuse = "majority"\n',
    )
    assert [cell.model for cell in found] == [None]


def test_a_grid_is_one_entry_a_point_with_a_label_of_its_own(tmp_path):
    found = cells(
        tmp_path,
        DATASET + MODEL + '[[strategy]]\nuse = "dbpd"\n'
        "grid.confidence = [0.3, 0.5]\ngrid.revision_epochs = [0, 1]\n",
    )
    assert len(found) == 4
    labels = [cell.labels["strategy"] for cell in found]
    assert labels[0] == "dbpd (confidence=0.3, revision_epochs=0)"
    assert len(set(labels)) == 4


def test_a_grid_reaches_options_of_the_data(tmp_path):
    text = DATASET + "grid.split.seed = [0, 1]\n" + MODEL + BASELINE
    found = cells(tmp_path, text)
    assert [cell.options.split.seed for cell in found] == [0, 1]


def test_exclusions_take_cells_out(tmp_path):
    text = (
        "seeds = [0, 1]\n"
        + DATASET
        + MODEL
        + BASELINE
        + '[[strategy]]\nuse = "dbpd"\n[[exclude]]\nstrategy = "dbpd"\nseed = 1\n'
    )
    found = {(cell.strategy_name, cell.seed) for cell in cells(tmp_path, text)}
    assert found == {("baseline", 0), ("baseline", 1), ("dbpd", 0)}


def test_an_exclusion_of_nothing_is_a_mistake(tmp_path):
    text = DATASET + MODEL + BASELINE + '[[exclude]]\nstrategy = "baselin"\n'
    assert "did you mean 'baseline'?" in problems(tmp_path, text)


def test_a_strategy_s_own_budget_is_merged_and_seen(tmp_path):
    text = (
        "[budget]\nepochs = 5\noptimizer = { use = 'adamw', lr = 0.1 }\n"
        + DATASET
        + MODEL
        + BASELINE
        + '[[strategy]]\nuse = "dbpd"\nbudget.epochs = 7\nbudget.optimizer.lr = 0.2\n'
    )
    shared, own = cells(tmp_path, text)
    assert (shared.budget.epochs, own.budget.epochs) == (5, 7)
    assert (shared.budget.optimizer.lr, own.budget.optimizer.lr) == (0.1, 0.2)
    assert own.labels["strategy"] == "dbpd (epochs=7, optimizer.lr=0.2)"


def test_a_data_set_s_own_budget_is_every_strategy_s_on_it(tmp_path):
    text = (
        "[budget]\nepochs = 5\n"
        + DATASET
        + "budget.epochs = 9\n"
        + MODEL
        + BASELINE
        + '[[strategy]]\nuse = "dbpd"\nbudget.batch_size = 16\n'
    )
    budgets = [cell.budget for cell in cells(tmp_path, text)]
    assert [b.epochs for b in budgets] == [9, 9]
    assert [b.batch_size for b in budgets] == [64, 16]


def test_another_optimizer_takes_nothing_of_the_shared_one(tmp_path):
    text = (
        "[budget]\noptimizer = { use = 'adamw', weight_decay = 0.1 }\n"
        + DATASET
        + MODEL
        + '[[strategy]]\nuse = "baseline"\nbudget.optimizer = { use = "sgd" }\n'
    )
    (cell,) = cells(tmp_path, text)
    assert cell.budget.optimizer.weight_decay == 0.0


def test_composed_strategies_stand_in_their_order(tmp_path):
    text = (
        plugin(tmp_path, "masking")
        + DATASET
        + MODEL
        + '[[strategy]]\nuse = ["masking", "dbpd"]\ndbpd.confidence = 0.5\n'
    )
    (cell,) = cells(tmp_path, text)
    assert [choice.name for choice in cell.strategies] == ["masking", "dbpd"]
    assert cell.strategies[1].changed == {"confidence": 0.5}
    assert cell.folder.parts[2] == "masking+dbpd"


def test_a_flat_parameter_of_composed_strategies_is_a_mistake(tmp_path):
    text = (
        plugin(tmp_path, "masking")
        + DATASET
        + MODEL
        + '[[strategy]]\nuse = ["masking", "dbpd"]\nconfidence = 0.5\n'
    )
    assert "composed strategies take a table each" in problems(tmp_path, text)


def test_two_that_answer_one_hook_are_refused_with_both_names(tmp_path):
    hook = "select_samples(self, run, batch)"
    text = (
        plugin(tmp_path, "other", hook, "return None")
        + DATASET
        + MODEL
        + '[[strategy]]\nuse = ["other", "dbpd"]\n'
    )
    message = problems(tmp_path, text)
    assert "'other' and 'dbpd' both implement the hook select_samples" in message


def test_a_wrapper_may_stand_beside_it(tmp_path):
    hook = "select_samples(self, run, batch)"
    text = (
        plugin(tmp_path, "other", hook, "return (yield)", "(wrapper=True)")
        + DATASET
        + MODEL
        + '[[strategy]]\nuse = ["other", "dbpd"]\n'
    )
    assert len(cells(tmp_path, text)) == 1


def test_the_same_cell_twice_is_a_mistake(tmp_path):
    text = DATASET + MODEL + BASELINE + BASELINE
    assert "two entries describe the same cell" in problems(tmp_path, text)


def test_the_order_of_a_suite_changes_no_identity(tmp_path):
    other = '[[strategy]]\nuse = "dbpd"\n'
    first = cells(tmp_path, DATASET + MODEL + BASELINE + other)
    second = cells(tmp_path, other + MODEL + BASELINE + DATASET)
    assert {cell.id for cell in first} == {cell.id for cell in second}


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("confidence = 0.3", True),
        ("min_keep = 0", True),
        ('label = "gentle"', True),
        ("confidence = 0.30001", False),
        ("budget.threads = 2", False),
        ('budget.optimizer = { use = "adamw", decay = "all" }', True),
        ('budget.optimizer = { use = "adamw", decay = "weights" }', False),
    ],
)
def test_defaults_written_out_and_labels_change_no_identity(tmp_path, written, same):
    entry = '[[strategy]]\nuse = "dbpd"\n'
    (plain,) = cells(tmp_path, DATASET + MODEL + entry)
    (other,) = cells(tmp_path, DATASET + MODEL + entry + written + "\n")
    assert (plain.id == other.id) is same


def test_a_whole_number_and_a_float_are_one_value(tmp_path):
    texts = [
        f"[budget]\noptimizer = {{ use = 'adamw', lr = {lr} }}\n"
        + DATASET
        + MODEL
        + BASELINE
        for lr in ("1", "1.0")
    ]
    assert len({cells(tmp_path, text)[0].id for text in texts}) == 1


def test_execution_and_place_of_data_are_not_identity(tmp_path):
    (plain,) = cells(tmp_path, DATASET + MODEL + BASELINE)
    (other,) = cells(
        tmp_path,
        "[execution]\ncheckpoint_seconds = 1.0\n"
        + DATASET
        + 'root = "elsewhere"\n'
        + MODEL
        + BASELINE,
    )
    assert plain.id == other.id


def test_golden_identity(tmp_path):
    """If this fails, results of everybody become unreachable: raise IDENTITY_VERSION
    only when what a cell computes has changed."""
    text = (
        "seeds = [1]\n[budget]\nepochs = 5\naugment = ['mixup']\n"
        + DATASET
        + 'leads = ["II"]\nfilter = { highpass = 0.5 }\n'
        + MODEL
        + '[[strategy]]\nuse = "dbpd"\nconfidence = 0.5\n'
    )
    (cell,) = cells(tmp_path, text)
    assert json.loads(json.dumps(cell.identity)) == {
        "version": 2,
        "dataset": {
            "name": "synthetic",
            "version": 1,
            "params": {"records": 60},
            "options": {"leads": ["II"], "filter": {"highpass": 0.5}},
            "fingerprint": "ffffffffffffffff",
        },
        "model": {"name": "cnn1d", "version": 1, "params": {}},
        "strategies": [{"name": "dbpd", "version": 1, "params": {"confidence": 0.5}}],
        "budget": {"epochs": 5, "augment": [{"use": "mixup"}]},
        "requires": {},
        "seed": 1,
    }
    assert cell.id == "a64ba26fa215"


def test_golden_identity_of_an_optimizer(tmp_path):
    """Settings that optimizers have got since are left out where they are defaults."""
    head = "[budget]\noptimizer = { use = 'adamw', lr = 5e-3, weight_decay = 0.1 }\n"
    (cell,) = cells(tmp_path, head + DATASET + MODEL + BASELINE)
    assert cell.identity["budget"] == {"optimizer": {"lr": 0.005, "weight_decay": 0.1}}
    assert cell.id == "f6b3f921c51d"


def test_a_cell_survives_its_way_to_another_process(tmp_path):
    text = DATASET + MODEL + '[[strategy]]\nuse = "dbpd"\nconfidence = 0.5\n'
    (cell,) = cells(tmp_path, text)
    again = Cell.from_dict(json.loads(json.dumps(cell.to_dict())))
    assert again.id == cell.id
    assert again.folder == cell.folder


def test_required_cells_come_first_once_and_in_identity(tmp_path):
    plugin(
        tmp_path,
        "needy",
        "requires(self, cell)",
        "return {'teacher': cell.replace(strategies=cell.strategies[1:])}",
    )
    text = (
        'plugins = ["plugins"]\nseeds = [0, 1]\n'
        + DATASET
        + MODEL
        + '[[strategy]]\nuse = ["needy", "baseline"]\n'
    )
    path = tmp_path / "a.toml"
    path.write_text(text)
    plan = make_plan(*read_suite(path), tmp_path / "runs")
    assert [(p.cell.strategy_name, p.role) for p in plan.cells] == [
        ("baseline", "required"),
        ("needy+baseline", "suite"),
    ] * 2
    teacher, student = plan.cells[0].cell, plan.cells[1].cell
    assert student.identity["requires"] == {"teacher": teacher.id}


def test_a_strategy_that_requires_itself_is_refused(tmp_path):
    plugin(tmp_path, "endless", "requires(self, cell)", "return {'again': cell}")
    path = tmp_path / "a.toml"
    path.write_text(
        'plugins = ["plugins"]\n' + DATASET + MODEL + '[[strategy]]\nuse = "endless"\n'
    )
    with pytest.raises(ConfigError, match="without end"):
        make_plan(*read_suite(path), tmp_path / "runs")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc._", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["dataset", "model", "strategy", "budget", "execution"]),
    key=st.sampled_from(
        ["use", "grid", "label", "epochs", "optimizer", "leads", "split", "budget", "x"]
    ),
    value=json_values,
)
def test_whatever_stands_in_a_suite_ends_in_cells_or_a_message(kind, key, value):
    content = {
        "budget": {},
        "execution": {},
        "dataset": [{"use": "synthetic"}],
        "model": [{"use": "cnn1d"}],
        "strategy": [{"use": "baseline"}],
    }
    place = content[kind][0] if isinstance(content[kind], list) else content[kind]
    place[key] = value
    try:
        suite, _ = resolve_suite(content, Path("a.toml"))
        found = cells_of(suite, {entry.label: "f" * 16 for entry in suite.datasets})
    except ConfigError:
        return
    assert all(cell.id for cell in found)


def test_all_mistakes_of_a_file_are_told_at_once_in_its_own_words(tmp_path):
    text = """
nme = "x"
seeds = 3
[budget]
epochs = "ten"
optimizer = { use = "adamww" }
schedule = "one-cycle"
[[dataset]]
use = "synthetic"
recrds = 3
[[model]]
use = "cnn1d"
[[strategy]]
use = "dpbd"
[[strategy]]
use = "dbpd"
confidence = 3
"""
    told = problems(tmp_path, text)
    for line in (
        "seeds: should be a list, in brackets, got 3",
        "nme: unknown key; did you mean 'name'?",
        "[budget] epochs: should be a valid integer, got 'ten'",
        "[budget] optimizer.use: unknown 'adamww'; did you mean 'adamw'?",
        "[budget] schedule: should be a table, as { use = \"...\" }, got 'one-cycle'",
        "[[dataset]] 1 (synthetic) recrds: unknown key; did you mean 'records'?",
        "[[strategy]] 1 (dpbd): unknown strategy 'dpbd'; did you mean 'dbpd'?",
        "[[strategy]] 2 (dbpd) confidence: should be less than or equal to 1, got 3",
    ):
        assert told.count(line) == 1
    assert len(told.splitlines()) == 9


def test_two_ways_of_dropping_are_refused(tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "other.py").write_text(
        "from harness import Dropping, Strategy\n\n\nclass Other(Strategy):\n"
        '    """Drops too."""\n\n    name = "other"\n    Params = Dropping\n'
    )
    text = 'plugins = ["plugins"]\n' + DATASET + MODEL
    text += '[[strategy]]\nuse = ["other", "dbpd"]\n'
    assert "both say how dropped samples are treated" in problems(tmp_path, text)


def test_the_label_of_a_grid_excludes_all_of_its_entries(tmp_path):
    text = (
        DATASET.rstrip()
        + '\nlabel = "short"\ngrid.records = [60, 70]\n'
        + MODEL
        + BASELINE
        + '[[strategy]]\nuse = "dbpd"\n[[exclude]]\ndataset = "short"\n'
        + 'strategy = "dbpd"\n'
    )
    assert {cell.strategy_name for cell in cells(tmp_path, text)} == {"baseline"}
