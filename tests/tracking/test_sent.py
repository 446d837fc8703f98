"""What is remembered of a cell survives, and nothing else is believed."""

import pytest

from harness.tracking.sent import Told, memory_file, recall, remember


@pytest.fixture
def memory(tmp_path):
    cell = tmp_path / "cell"
    cell.mkdir()
    return memory_file(cell, "suite", "tracker", "postgresql://me:secret@host/db")


def test_what_was_told_is_known_for_the_same_sources_only(memory):
    told = Told("sources", epochs=3, state="done")
    remember(memory, told)

    assert recall(memory, "sources") == told
    assert recall(memory, "edited") == Told("edited")


def test_a_password_is_not_written_down(memory):
    remember(memory, Told("sources"))

    assert "secret" not in str(memory)
    assert "secret" not in memory.read_text()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '{"sources": "sources", "epochs": -1, "state": null}',
        '{"sources": "sources", "epochs": "3", "state": null}',
        '{"sources": "sources", "more": 1}',
    ],
)
def test_a_damaged_memory_knows_nothing(memory, content):
    memory.parent.mkdir(parents=True)
    memory.write_text(content)

    assert recall(memory, "sources") == Told("sources")


def test_a_removed_cell_stays_removed(memory):
    cell = memory.parents[2]
    cell.rmdir()
    remember(memory, Told("sources"))

    assert not cell.exists()
