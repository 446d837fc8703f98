"""The web page of a suite in a real browser: what a reader does with it."""

from itertools import pairwise

import pytest
from page_browser import Opened, started_browser
from runs_folder import RunsFolder
from web_rows import HOSTILE, fill

from harness.report.write import write_leaderboard


@pytest.fixture(scope="module")
def browser():
    with started_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    runs = fill(RunsFolder(folder / "runs"))
    write_leaderboard(runs.suite(), "demo", folder, web=True)
    return folder / "demo.html"


@pytest.fixture
def opened(browser, file):
    opened = Opened(browser, file)
    yield opened
    opened.close()


@pytest.fixture
def page(opened):
    return opened.page


def names(page):
    return page.locator(".board tbody tr:visible").evaluate_all(
        "rows => rows.map(row => row.dataset.name)"
    )


def heading(page, name):
    return page.locator(".board thead th", has_text=name).first


def test_rows_are_sorted_by_a_heading_and_back(page):
    assert names(page)[:3] == ["baseline", "dbpd", "uncounted"]
    compute = heading(page, "compute")
    compute.get_by_role("button").click()
    assert compute.get_attribute("aria-sort") == "ascending"
    rising = names(page)
    assert rising[:4] == ["majority", "dbpd", "half", "baseline"]
    compute.get_by_role("button").press("Enter")
    assert compute.get_attribute("aria-sort") == "descending"
    assert names(page)[:3] == ["dear", "baseline", "half"]
    assert page.locator(".board th[aria-sort]").count() == 1


def test_what_was_not_measured_is_last_whichever_way_and_never_0(page):
    compute = heading(page, "compute").get_by_role("button")
    unmeasured = {"uncounted", "broken", "stuck", "busy"}
    for _ in range(2):
        compute.click()
        assert set(names(page)[-4:]) == unmeasured
    row = page.locator(".board tr", has_text="uncounted")
    column = heading(page, "compute").evaluate("th => th.cellIndex")
    assert row.locator("td, th").nth(column).inner_text() == "-"


def test_rows_are_filtered_by_name_and_by_state(page):
    page.get_by_label("Strategy", exact=True).fill("DB")
    assert names(page) == ["dbpd"]
    assert page.locator("#shown").inner_text() == "1 of 9 rows shown"
    assert page.locator("details.row:visible").count() == 1
    page.get_by_label("Strategy", exact=True).fill("")
    which = page.get_by_label("Rows", exact=True)
    which.select_option("front")
    assert names(page) == ["baseline", "dbpd"]
    which.select_option("partial")
    assert set(names(page)) == {"half", "broken", "stuck", "busy"}
    which.select_option("all")
    assert len(names(page)) == 9


def test_points_of_rows_that_are_filtered_out_fade(page):
    page.get_by_label("Strategy", exact=True).fill("dbpd")
    faded = page.locator(".point.dim")
    assert faded.count() == page.locator(".point").count() - 1


def test_a_point_says_what_it_is_under_the_pointer_and_in_focus(page):
    tip, point = page.locator("#tip"), page.locator(".point[aria-label^=dbpd]")
    assert tip.is_hidden()
    point.hover()
    assert tip.inner_text().split("\n") == [
        "dbpd",
        "macro-F1 0.690 ± 0.010 (3 seeds)",
        "compute 0.40x",
        "no row is better and cheaper",
    ]
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    point.focus()
    page.evaluate("new Promise((r) => requestAnimationFrame(() => setTimeout(r, 50)))")
    assert page.evaluate("scrollY") > 0
    assert tip.is_visible()
    assert tip.inner_text().startswith("dbpd")


def test_points_are_reached_by_the_keyboard_and_lead_to_their_row(page):
    page.get_by_role("region", name="Plot: macro-F1 against compute").focus()
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert first.startswith("baseline; macro-F1 0.710")
    page.keyboard.press("Enter")
    part = page.locator("details.row[open]")
    part.wait_for()
    assert part.locator("summary b").first.inner_text() == "baseline"


def test_a_strategy_opens_its_cells(page):
    page.locator(".board").get_by_role("link", name="dbpd").click()
    part = page.locator("details.row[open]")
    part.wait_for()
    text = part.inner_text()
    assert "Cells, one a seed" in text
    assert "predicted class" in text
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    part.get_by_text("Parameters").click()
    row = part.get_by_role("row", name="strategy.dbpd.params.confidence")
    assert row.get_by_role("cell").inner_text() == "0.3"
    part.get_by_text("Provenance").click()
    assert "2.13.0+cpu" in part.inner_text()


def test_a_link_to_a_row_opens_it_on_arrival(browser, opened, page):
    target = page.locator(".board a", has_text="broken").get_attribute("href")
    page.goto(opened.file + target)
    page.reload()
    opened.asked.clear()
    part = page.locator(f"details{target}")
    assert part.get_attribute("open") is not None
    assert "failed (plugin): it broke <b>badly</b>" in part.inner_text()


def test_every_state_is_said(page):
    told = page.get_by_label("Cells by state").get_by_role("listitem").all_inner_texts()
    assert told == ["14 done", "1 running", "1 planned", "1 blocked", "1 failed"]
    for name, state in (
        ("half", "1 planned"),
        ("broken", "1 failed"),
        ("stuck", "1 blocked"),
        ("busy", "1 running"),
    ):
        row = page.locator(".board tr", has_text=name)
        assert state in row.locator("th").inner_text()


def test_hostile_names_do_nothing(browser, runs, tmp_path):
    runs.done("baseline", 0, 0.7, dataset=HOSTILE, model=HOSTILE)
    runs.done(HOSTILE, 0, 0.6, dataset=HOSTILE, model=HOSTILE)
    runs.failed(HOSTILE, 1, dataset=HOSTILE, model=HOSTILE, message=HOSTILE)
    write_leaderboard(runs.suite(title=HOSTILE), "demo", tmp_path, web=True)
    opened = Opened(browser, tmp_path / "demo.html")
    assert opened.page.locator("h1").inner_text() == HOSTILE
    opened.page.locator(".board").get_by_role("link", name=HOSTILE).click()
    opened.page.locator("details.row[open]").wait_for()
    point = opened.page.locator(".point").last
    point.focus()
    assert opened.page.locator("#tip").inner_text().split("\n")[0] == HOSTILE
    assert opened.page.locator("script").count() == 1
    opened.close()


COLOURS = """(selector) => {
    const parts = (text) => text.match(/[\\d.]+/g).map(Number);
    const element = document.querySelector(selector);
    let ground = element, found = [0, 0, 0, 0];
    while (ground && found.length > 3 && found[3] === 0) {
        found = parts(getComputedStyle(ground).backgroundColor);
        ground = ground.parentElement;
    }
    const light = (c) => {
        const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map(
            (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(parts(ink)), light(found)].sort((x, y) => x - y);
    return (b + 0.05) / (a + 0.05);
}"""
TEXTS = ["h1", "header a", ".board td", ".board th a", "caption", ".badge", ".notes"]
TEXTS += [".state.failed", ".state.planned", ".note", ".plot text", "footer"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_in_light_and_in_dark(browser, file, scheme):
    opened = Opened(browser, file, scheme=scheme)
    low = {s: opened.page.evaluate(COLOURS, s) for s in TEXTS}
    opened.close()
    assert {s: round(v, 2) for s, v in low.items() if v < 4.5} == {}


def test_the_button_turns_the_page_dark_and_light_again(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    button = page.get_by_role("button", name="Dark mode")
    button.click()
    dark = page.evaluate(ground)
    assert dark != light
    page.get_by_role("button", name="Light mode").click()
    assert page.evaluate(ground) == light


def test_a_phone_shows_all_without_sideways_scrolling(browser, file):
    opened = Opened(browser, file, width=400)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 400
    region = opened.page.get_by_role("region", name="Table: ptbxl").first
    assert region.evaluate("e => e.scrollWidth > e.clientWidth")
    region.evaluate("e => { e.scrollLeft = 200 }")
    name = opened.page.locator(".board tbody th").first.bounding_box()
    assert 0 <= name["x"] < 60
    opened.close()


def test_a_screen_reader_finds_its_way(page):
    for role in ("banner", "navigation", "main", "search", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    assert (
        page.locator("table").count()
        == page.locator("table:has(caption), [aria-label] > table").count()
    )
    for table in page.locator("table").all():
        assert table.locator("thead th:not([scope=col])").count() == 0
    levels = page.locator("h1, h2, h3, h4").evaluate_all(
        "all => all.map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
    assert len(ids) == len(set(ids))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the tables"
