"""Parts of the web page: prose, plots within it, colours, parameters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pruning_rows import add_plain, history
from runs_folder import write
from web_rows import fill

from harness.report.board.build import build_leaderboard
from harness.report.board.pareto import COMPUTE
from harness.report.plots.style import house_style, new_figure, svg_of
from harness.report.plots.table_data import table_data
from harness.report.read import (
    read_history,
    read_parameters,
    read_suite,
    shared_parameters,
)
from harness.report.render.format import escape, escape_html
from harness.report.web.chart import linear_scale, logarithmic_scale
from harness.report.web.epochs_chart import epochs_chart
from harness.report.web.html import to_html
from harness.report.web.inline_svg import (
    DARK,
    LIGHT,
    ROLES,
    contrast,
    inline_svg,
    readable,
)
from harness.report.web.pareto_chart import front_chart

COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@given(COLOURS, st.sampled_from([LIGHT, DARK]))
def test_a_colour_is_told_from_its_ground_and_left_where_it_already_is(colour, ground):
    found = readable(colour, ground)
    assert contrast(found, ground) >= 3
    assert (found == colour) == (contrast(colour, ground) >= 3)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@given(st.text())
def test_escaped_text_is_shown_as_it_is(text):
    shown = str(to_html([f"called {escape(text)}"], "Table"))
    assert "<" not in shown.replace("<p>", "").replace("</p>", "")


def test_html_is_shown_but_for_folds_whose_names_are_escaped():
    name = escape_html("</summary><script>x</script>")
    blocks = [f"<details>\n<summary>{name}</summary>", "<i>a</i>", "</details>"]
    shown = to_html(blocks, "Table")
    assert shown.startswith("<details>\n<summary>&#60;/summary")
    assert "&lt;i&gt;a&lt;/i&gt;" in shown
    assert "<script" not in shown


def test_links_and_pictures_are_no_links():
    shown = to_html(["[a](https://b) ![c](d.svg) <https://e>"], "Table")
    assert "<a" not in shown
    assert "<img" not in shown


def test_tables_scroll_by_the_keyboard_and_have_a_name():
    shown = to_html(["| a |\n|---|\n| 1 |"], 'x"y')
    assert 'tabindex="0" aria-label="x&#34;y"' in shown
    assert '<th scope="col">a</th>' in shown


@pytest.fixture
def plot():
    with house_style():
        figure = new_figure(3, "a title")
        figure.subplots().plot([0, 1], [0, 1], color="#0072b2", marker="o")
        return svg_of(figure)


def test_a_plot_becomes_part_of_the_page(plot):
    found = inline_svg(plot, "p-", 'a "label"')
    text = str(found.markup)
    assert "a title" not in text
    assert "http" not in text
    assert "<style" not in text
    assert "#0072b2" not in text
    assert "#0072b2" in found.colours
    assert "var(--c0072b2)" in text
    assert {ROLES["#ffffff"], ROLES["#000000"]} <= set(
        re.findall(r"var\(--(\w+)", text)
    )
    assert 'role="img" aria-label="a &quot;label&quot;"' in text


def test_ids_of_two_plots_differ(plot):
    ids = [
        set(re.findall(r' id="([^"]+)"', inline_svg(plot, prefix, "label").markup))
        for prefix in ("a-", "b-")
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


BOUNDED = st.floats(-1e30, 1e30)


@given(st.lists(BOUNDED, min_size=1), st.booleans())
def test_all_values_lie_within_a_linear_axis(values, whole):
    scale = linear_scale(values, 10, 110, whole=whole)
    assert all(10 <= scale(value) <= 110 for value in values)
    assert all(10 <= scale(tick) <= 110 for tick in scale.ticks)


@given(st.lists(st.floats(1e-30, 1e30), min_size=1))
def test_all_values_lie_within_a_logarithmic_axis(values):
    scale = logarithmic_scale(values, 10, 110)
    assert all(10 <= scale(value) <= 110 for value in values)


def test_ticks_are_round_numbers():
    assert list(linear_scale([0.61, 0.79], 0, 1).ticks) == pytest.approx(
        [0.6, 0.65, 0.7, 0.75, 0.8]
    )
    assert list(logarithmic_scale([0.5, 9], 0, 1).ticks) == pytest.approx(
        [0.5, 1, 2, 5, 10]
    )
    whole = linear_scale([0, 3], 0, 1, from_zero=True, whole=True)
    assert list(whole.ticks) == [0, 1, 2, 3]


def charts(runs):
    results = read_suite(runs.suite(), "demo")
    board = build_leaderboard(results)
    cells = {cell.cell.id: cell for cell in results.cells}
    dataset = board.datasets[0]
    table = dataset.tables[0]
    data = table_data(dataset, table, lambda c: read_history(runs.root, cells[c]))
    ids = {row.strategy: row.strategy for row in table.rows}
    best = table.fronts[COMPUTE].rows
    return front_chart("f", data, ids, best), epochs_chart("e", data, ids)


def test_the_front_shows_what_was_measured(runs):
    front, _ = charts(fill(runs))
    (panel,) = front.panels
    points = {point.row: point for point in panel.points}
    assert set(points) == {"baseline", "dbpd", "dear", "half"}
    assert points["dbpd"].x < points["half"].x < points["baseline"].x < points["dear"].x
    assert points["baseline"].y < points["dbpd"].y < points["half"].y
    assert [name for name, point in points.items() if point.hollow] == ["half"]
    x, y = points["dbpd"].x, points["dbpd"].y
    assert (
        panel.front == f"M{x:g} {y:g}H{points['baseline'].x:g}V{points['baseline'].y:g}"
    )


def test_a_row_that_cost_nothing_is_shown_at_0(runs):
    for name, flops in (("baseline", 100), ("dear", 900), ("untrained", 0)):
        runs.done(name, 0, 0.5, changes={"cost.flops.training": flops})
    front, _ = charts(runs)
    (panel,) = front.panels
    points = {point.row: point for point in panel.points}
    assert points["untrained"].x == panel.left
    assert panel.x_ticks[0].text == "0x"


def test_a_front_of_one_row_is_not_drawn(runs):
    runs.done("baseline")
    assert charts(runs) == (None, None)


def test_what_was_not_measured_leaves_a_gap_and_no_panel(runs):
    rows = history(5)
    for row in rows:
        row["training"] = {"macro_f1": None}
        row["validation"] = {"macro_f1": 0.5 if row["epoch"] != 2 else None}
    add_plain(runs, rows=rows)
    _, epochs = charts(runs)
    (panel,) = epochs.panels
    assert panel.title == "macro-F1, validation"
    (curve,) = panel.curves
    assert re.sub(r"[^ML]", "", curve.path) == "MLML"


def test_parameters_are_told_by_their_dotted_names(runs):
    folder = runs.done("dbpd")
    write(
        folder / "cell.json",
        {
            "dataset": {"name": "ptbxl", "options": {"leads": None, "side": []}},
            "model": None,
            "strategies": [{"name": "dbpd", "params": {"pack": True, "share": 0.3}}],
            "budget": {"augment": [{"use": "mixup", "alpha": 1.0}], "clip_norm": None},
        },
    )
    (cell,) = read_suite(runs.suite(), "demo").cells
    assert read_parameters(runs.root, cell) == {
        "dataset.name": "ptbxl",
        "dataset.options.leads": "none",
        "dataset.options.side": "none",
        "model": "none",
        "strategy.dbpd.name": "dbpd",
        "strategy.dbpd.params.pack": "yes",
        "strategy.dbpd.params.share": "0.3",
        "budget.augment": "(use mixup, alpha 1.0)",
        "budget.clip_norm": "none",
    }


def test_values_that_differ_between_seeds_are_told_once_each():
    cells = [{"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {}]
    assert shared_parameters(cells) == [("a", "1"), ("b", "2 or 3")]
