"""The longest go first, and with them what they wait for."""

import json

import pytest

from harness.cell import Cell, PluginChoice
from harness.execution.schedule import by_length, expected_seconds
from harness.options import Budget, DataOptions

MODEL = PluginChoice("net", 1, "Net", "net.py", "0")
DATA = PluginChoice("data", 1, "Data", "data.py", "0")


def cell(seed, *, epochs=1, strategy="baseline", requires=(), model=MODEL):
    return Cell(
        dataset=DATA,
        options=DataOptions(),
        model=model,
        strategies=(PluginChoice(strategy, 1, "S", "s.py", "0"),),
        budget=Budget(epochs=epochs),
        seed=seed,
        fingerprint="data",
        requires={f"role {i}": c for i, c in enumerate(requires)},
    )


@pytest.fixture
def finished(tmp_path):
    """Leave what a finished cell leaves of its length."""

    def leave(cell, training):
        folder = tmp_path / cell.folder
        folder.mkdir(parents=True)
        seconds = {"training": training, "evaluation": 0.0}
        (folder / "measured.json").write_text(json.dumps({"seconds": seconds}))
        (folder / "cell.json").write_text(json.dumps({"identity": cell.identity}))
        return tmp_path

    return leave


def test_the_longest_goes_first_and_equals_keep_the_order_of_the_suite():
    cells = [cell(0), cell(1), cell(2), cell(3)]
    seconds = dict(zip([c.id for c in cells], [5.0, 9.0, 5.0, 9.0], strict=True))
    assert [c.seed for c in by_length(cells, seconds)] == [1, 3, 0, 2]


def test_what_others_wait_for_counts_with_the_longest_chain_of_them():
    teacher = cell(0)
    student = cell(1, requires=[teacher])
    grandchild = cell(2, requires=[student])
    alone = cell(3)
    cells = [alone, teacher, student, grandchild]
    seconds = {alone.id: 10.0, teacher.id: 1.0, student.id: 5.0, grandchild.id: 5.0}
    assert [c.seed for c in by_length(cells, seconds)] == [0, 3, 1, 2]
    seconds[alone.id] = 12.0
    assert [c.seed for c in by_length(cells, seconds)] == [3, 0, 1, 2]


def test_finished_cells_that_differ_by_the_seed_say_how_long_one_takes(finished):
    runs = finished(cell(0, epochs=3), 30.0)
    finished(cell(1, epochs=3), 50.0)
    finished(cell(0, epochs=9), 500.0)
    new = cell(2, epochs=3)
    assert expected_seconds([new], runs) == {new.id: 40.0}


def test_finished_cells_of_the_same_method_are_the_next_best(finished):
    runs = finished(cell(0, epochs=3), 30.0)
    new = cell(0, epochs=4)
    assert expected_seconds([new], runs) == {new.id: 30.0}


def test_epochs_stand_in_at_the_rate_of_what_is_known(finished):
    runs = finished(cell(0, epochs=3), 30.0)
    known = cell(1, epochs=3)
    other = cell(0, epochs=5, strategy="other")
    floor = cell(0, epochs=5, strategy="floor", model=None)
    expected = {known.id: 30.0, other.id: 50.0, floor.id: 0.0}
    assert expected_seconds([known, other, floor], runs) == expected


def test_where_nothing_was_ever_run_epochs_alone_tell(tmp_path):
    short, long = cell(0, epochs=2), cell(0, epochs=7)
    seconds = expected_seconds([short, long], tmp_path)
    assert by_length([short, long], seconds) == [long, short]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"seconds": {"training": "x"}}'])
def test_a_damaged_file_tells_nothing(tmp_path, content):
    new = cell(0, epochs=2)
    folder = tmp_path / cell(1, epochs=2).folder
    folder.mkdir(parents=True)
    (folder / "measured.json").write_text(content)
    (folder / "cell.json").write_text(content)
    assert expected_seconds([new], tmp_path) == {new.id: 2.0}
