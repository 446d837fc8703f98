"""The index of a leaderboard folder."""

from pathlib import Path

import numpy as np
import pytest
from taught_rows import add_judged, predictions

from harness.report.render.index import MARKER, index_page, read_boards, write_index
from harness.report.write import write_leaderboard


@pytest.fixture
def board(tmp_path):
    return tmp_path / "board"


def add_suite(runs, board, name="demo", title="Demo"):
    write_leaderboard(runs.suite(name, title), name, board)


def lines(board):
    """The cells of the index's rows."""
    page = (board / "README.md").read_text()
    grid = page.split("\n\n")[-1].strip().split("\n")[2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in grid]


def test_every_suite_is_linked_and_told_of(runs, board):
    runs.done("baseline", 0, 0.7)
    runs.done("dbpd", 0, 0.6)
    runs.done("dbpd", 0, 0.8, model="cnn1d")
    runs.done("majority", 0, 0.2, model=None)
    runs.failed("dbpd", 1)
    runs.failed("stuck", 0, kind="blocked", dataset="other")
    runs.cell("later", 0, dataset="other")
    add_suite(runs, board, "b", "Second | suite")
    runs.cells = runs.cells[:1]
    add_suite(runs, board, "a", "First")
    assert write_index(board) is None
    first = "[First](a.md)", "1 of 1", "1", "ptbxl", "resnet1d", "baseline", "0.700"
    assert lines(board) == [
        [*first],
        [
            "[Second &#124; suite](b.md)",
            "4 of 7, 1 blocked, 1 failed, 1 planned",
            "4",
            "other",
            "resnet1d",
            "-",
            "-",
        ],
        [
            *("", "", "", "ptbxl", "cnn1d, resnet1d"),
            "dbpd (cnn1d), and 1 row of its rank",
            "0.800",
        ],
    ]


def test_a_floor_that_leads_is_called_one(runs, board):
    runs.done("majority", 0, 0.2, model=None)
    add_suite(runs, board)
    write_index(board)
    assert lines(board)[0][4:] == ["-", "majority (floor)", "0.200"]


def test_rows_that_share_the_first_rank_are_counted(runs, board):
    for name, score in {"one": 0.7, "other": 0.7, "third": 0.3}.items():
        for seed in range(3):
            draw = np.random.default_rng([seed, len(name)])
            add_judged(runs, name, predictions(score, draw), seed=seed)
    add_suite(runs, board)
    write_index(board)
    assert lines(board)[0][5] == "one, and 1 row of its rank"


def test_an_index_that_says_the_same_is_left(runs, board):
    runs.done("baseline")
    add_suite(runs, board)
    write_index(board)
    path = board / "README.md"
    before = path.stat().st_ino, path.read_bytes()
    write_index(board)
    assert (path.stat().st_ino, path.read_bytes()) == before
    path.write_text(f"{MARKER}\n\nold\n")
    write_index(board)
    assert path.read_bytes() == before[1]


def test_what_is_no_leaderboard_is_passed_over(runs, board):
    runs.done("baseline")
    add_suite(runs, board)
    write_index(board)
    before = (board / "README.md").read_bytes()
    (board / "copy.json").write_bytes((board / "demo.json").read_bytes())
    (board / "broken.json").write_text("{")
    (board / "list.json").write_text("[]")
    (board / "old.json").write_text('{"schema_version": 0, "suite": "old"}')
    (board / "folder.json").mkdir()
    write_index(board)
    assert (board / "README.md").read_bytes() == before


def test_without_any_leaderboard_it_is_empty(tmp_path):
    assert write_index(tmp_path) is None
    assert lines(tmp_path) == []


@pytest.mark.parametrize("content", ["# My notes\n", "", f"x {MARKER}\n"])
def test_somebodys_own_page_is_left_alone(runs, board, content):
    runs.done("baseline")
    add_suite(runs, board)
    path = board / "README.md"
    path.write_text(content)
    assert "README.md: left as it is" in (write_index(board) or "")
    assert path.read_text() == content


def test_commands_keep_it_up_to_date(harness, tiny_run, tmp_path):
    index = (tiny_run.leaderboard / "README.md").read_text()
    assert "(tiny.md)" in index
    where = ("--runs", tiny_run.runs, "--leaderboard", tmp_path)
    assert harness("report", "tiny", *where).code == 0
    assert (tmp_path / "README.md").read_text() == index
    (tmp_path / "README.md").write_text("mine\n")
    for command in ("report", tiny_run.suite.stem), ("run", tiny_run.suite):
        ended = harness(*command, *where)
        assert ended.code == 0
        assert ended.err.count("README.md: left as it is") == 1
        assert (tmp_path / "README.md").read_text() == "mine\n"


def test_the_index_of_this_repository_is_up_to_date():
    folder = Path(__file__).parents[2] / "leaderboard"
    assert (folder / "README.md").read_text() == index_page(read_boards(folder)), (
        "run: harness report SUITE"
    )
