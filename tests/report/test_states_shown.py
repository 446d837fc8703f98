"""Every way in which a leaderboard is shown says in which state its cells are."""

import json

import pytest
from page_browser import Opened, started_browser
from runs_folder import RunsFolder
from states_suite import INSTALLED, STATES, fill

from harness.report.board.board import Board
from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite
from harness.report.render.terminal import summary_lines
from harness.report.write import write_leaderboard

OTHERS = {
    "pupil": "1/1, 1 stale",
    "dbpd": "2/2, 1 stale",
    "broken": "0/1, 1 failed",
    "stuck": "0/1, 1 blocked",
    "waiting": "0/1, 1 planned",
    "busy": "0/1, 1 running",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("states")
    runs = fill(RunsFolder(folder / "runs"))
    write_leaderboard(runs, "demo", folder, web=True, installed=INSTALLED)
    return folder


@pytest.fixture(scope="module")
def board(folder):
    return json.loads((folder / "demo.json").read_text())


def rows_of(board):
    (dataset,) = board["datasets"]
    (table,) = dataset["tables"]
    return {row["strategy"]: row for row in table["rows"]}


def test_the_json_counts_every_state_and_names_what_is_stale(board):
    assert board["states"] == STATES
    rows = rows_of(board)
    assert rows["dbpd"]["states"] == {"done": 1, "stale": 1}
    assert [seed.get("stale") for seed in rows["dbpd"]["seeds"]] == [
        None,
        ["strategy dbpd"],
    ]
    assert rows["pupil"]["seeds"][0]["stale"] == ["strategy teacher"]
    assert rows["baseline"]["states"] == {"done": 3}
    statuses = {name: rows[name]["seeds"][0]["status"] for name in OTHERS}
    assert statuses == {
        "pupil": "done",
        "dbpd": "done",
        "broken": "failed",
        "stuck": "blocked",
        "waiting": "planned",
        "busy": "running",
    }


def test_stale_figures_count(board):
    rows = rows_of(board)
    assert (rows["dbpd"]["macro_f1"]["n"], rows["dbpd"]["done"]) == (2, 2)
    assert [rows[name]["rank"] for name in ("baseline", "dbpd", "pupil")] == [1, 1, 1]


def test_nothing_is_stale_where_nothing_is_known_or_all_is_as_it_was(folder):
    results = read_suite(folder / "runs", "demo")
    unjudged = build_leaderboard(results)
    assert unjudged.states == {
        key: count + STATES["stale"] * (key == "done")
        for key, count in STATES.items()
        if key != "stale"
    }
    unchanged = {"strategy baseline": "99", "dataset ptbxl": "11"}
    assert build_leaderboard(results, installed=unchanged) == unjudged


def test_the_markdown_page_says_every_state(folder):
    page = (folder / "demo.md").read_text()
    assert (
        "4 of 10 cells done, 1 blocked, 1 failed, 1 planned, 1 running, 2 stale" in page
    )
    for strategy, state in OTHERS.items():
        lines = [x for x in page.splitlines() if f" {strategy} " in x and "|" in x]
        assert [line for line in lines if f"| {state} " in line]
    source = "made by another version of the source of strategy"
    assert f"**dbpd**: seed 1 stale: {source} dbpd than is installed here" in page
    assert f"**pupil**: seed 0 stale: {source} teacher than is installed" in page
    assert "**broken**: seed 0 failed (plugin): it broke" in page
    assert "**stuck**: seed 0 blocked (blocked): its teacher failed" in page
    assert "**waiting**: seed 0 planned" in page
    assert "**busy**: seed 0 running" in page


def test_the_terminal_says_every_state(board):
    lines = summary_lines(Board.model_validate(board))
    for strategy, state in OTHERS.items():
        (line,) = [line for line in lines if f" {strategy} " in line]
        assert line.endswith(state)


@pytest.fixture(scope="module")
def browser():
    with started_browser() as browser:
        yield browser


@pytest.fixture
def page(browser, folder):
    opened = Opened(browser, folder / "demo.html")
    yield opened.page
    opened.close()


def test_the_web_page_says_every_state(page):
    above = page.get_by_label("Cells by state").locator("li").all_inner_texts()
    assert dict(text.split()[::-1] for text in above) == {
        state: str(count) for state, count in STATES.items()
    }
    for strategy, state in OTHERS.items():
        row = page.locator(f".board tr[data-name={strategy}]")
        badge = row.locator(f".badge.{state.split()[-1]}")
        assert badge.inner_text() == state.partition(", ")[2]
    assert page.locator(".board tr[data-name=baseline] .badge:not(.front)").count() == 0
    assert "source of strategy dbpd than is installed" in page.inner_text(".notes")


@pytest.mark.parametrize("state", sorted(set(STATES) - {"done"}))
def test_the_web_page_shows_the_rows_with_a_state(page, state):
    page.get_by_label("Rows", exact=True).select_option(f"with {state} seeds")
    shown = page.locator(".board tbody tr:visible").evaluate_all(
        "rows => rows.map(row => row.dataset.name)"
    )
    assert set(shown) == {n for n, text in OTHERS.items() if text.endswith(state)}
    assert page.locator("details.row:visible").count() == len(shown)


def test_a_stale_cell_of_the_web_page_names_its_plugin(page):
    page.locator(".board tr[data-name=dbpd] th a").click()
    part = page.locator("details.row[open]")
    assert "2 done" not in part.inner_text()
    assert "stale: strategy dbpd edited since" in part.inner_text()
