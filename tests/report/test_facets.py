"""What a teacher bought, lead by lead: with it, without it, and beside controls."""

import random
import re
import shutil
from statistics import fmean, stdev

import numpy as np
import pytest
from runs_folder import write
from taught_rows import (
    add_judged,
    add_taught,
    multi_label,
    predictions,
    write_predictions,
)

from harness.files.atomic import read_json
from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite
from harness.report.render.markdown import to_markdown
from harness.report.write import write_leaderboard
from harness.results.predictions import read_test_predictions

NONE = "no distillation"


def board(runs):
    root = runs.suite()
    return build_leaderboard(
        read_suite(root, "demo"), lambda c: read_test_predictions(root / c.cell.folder)
    )


def groups(runs):
    return board(runs).model_dump().get("leads", [])


def only(found):
    (one,) = found
    return one


def control(part, name=NONE):
    return only([c for c in part["controls"] if c["name"] == name])


def of_strategy(runs, strategy, lead="I"):
    """Macro-F1 of the cells of a strategy on a lead, by seed."""
    shown = [
        read_json(runs.root / cell["folder"] / "result.json")["metrics"]["test"]
        for cell in sorted(runs.cells, key=lambda c: c["seed"])
        if cell["strategy"] == strategy
        and cell["data"]["options"].get("leads", [lead]) == [lead]
    ]
    return [test["macro_f1"] for test in shown]


@pytest.fixture
def taught(runs):
    """Leads V1 and I, three seeds, two controls."""
    for seed in range(3):
        for lead in ("V1", "I"):
            right = {NONE: 0.4 if lead == "I" else 0.7, "shuffled teacher": 0.4}
            add_taught(runs, (lead,), right, seed=seed)
    return runs


def test_leads_stand_in_the_teachers_order_with_their_means(taught):
    group = only(groups(taught))
    assert (group["data"], group["model"]) == ("ptbxl", "resnet1d")
    assert [part["leads"] for part in group["leads"]] == [["I"], ["V1"]]
    part = group["leads"][0]
    ours = of_strategy(taught, "distillation")
    theirs = of_strategy(taught, f"distillation: {NONE}")
    assert part["macro_f1"]["mean"] == pytest.approx(fmean(ours))
    assert part["macro_f1"]["spread"] == pytest.approx(stdev(ours))
    assert control(part)["macro_f1"]["mean"] == pytest.approx(fmean(theirs))
    assert part["teacher"]["mean"] == pytest.approx(
        fmean(of_strategy(taught, "baseline"))
    )
    apart = [a - b for a, b in zip(ours, theirs, strict=True)]
    against = control(part)["against"]
    assert against["difference"]["mean"] == pytest.approx(fmean(apart))
    assert against["difference"]["spread"] == pytest.approx(stdev(apart))
    assert against["low"] < fmean(apart) < against["high"]
    assert against["ahead"] == against["pairs"] == 3


def test_what_a_teacher_bought_is_told_in_one_sentence(taught):
    group = only(groups(taught))
    verdicts = [control(part)["against"]["verdict"] for part in group["leads"]]
    assert verdicts == ["better", "no measurable difference"]
    said = "better on 1 of 2 leads, no measurable difference on 1"
    assert group["summary"] == said
    page = to_markdown(board(taught))
    assert f"- **distillation** (ptbxl · resnet1d): {said}." in page
    assert page.index("## With and without a teacher") < page.index("## ptbxl")


def test_every_control_is_compared_and_stands_beside_the_untaught(taught):
    part = only(groups(taught))["leads"][0]
    assert [c["name"] for c in part["controls"]] == [NONE, "shuffled teacher"]
    assert control(part)["beside_untaught"] is None
    shuffled = control(part, "shuffled teacher")
    mean = {
        which: shuffled[which]["difference"]["mean"]
        for which in ("against", "beside_untaught")
    }
    assert sum(mean.values()) == pytest.approx(
        control(part)["against"]["difference"]["mean"]
    )


def test_the_share_of_the_gap_is_that_of_the_means(taught):
    part, other = only(groups(taught))["leads"]
    means = [part["macro_f1"], control(part)["macro_f1"], part["teacher"]]
    ours, theirs, teacher = (summary["mean"] for summary in means)
    gap = part["gap"]
    assert gap["share"] == pytest.approx((ours - theirs) / (teacher - theirs), abs=1e-5)
    assert gap["low"] < gap["share"] < gap["high"]
    assert gap["low"] > 0
    assert gap["reason"] is None
    assert other["gap"]["low"] < 0 < other["gap"]["high"]


def test_without_a_gap_no_share_is_shown(runs):
    for seed in range(3):
        add_taught(runs, ("I",), {NONE: 0.6}, seed=seed, teacher=0.5)
    gap = only(groups(runs))["leads"][0]["gap"]
    assert gap["share"] is None
    assert gap["reason"] == "the teacher isn't measurably above"
    assert "| the teacher isn't measurably above |" in to_markdown(board(runs))


def test_two_seeds_are_too_few(runs):
    for seed in range(2):
        add_taught(runs, ("I",), {NONE: 0.2}, seed=seed)
    group = only(groups(runs))
    assert group["summary"] == "too few seeds on 1 of 1 lead"
    assert group["leads"][0]["gap"]["reason"] == "too few seeds"


def test_splits_are_pooled_and_paired_by_split(runs):
    for split in (0, 1, 2):
        for seed in (0, 1):
            add_taught(runs, ("I",), {NONE: 0.4}, seed=seed, split=split)
    group = only(groups(runs))
    assert group["data"] == "ptbxl"
    part = only(group["leads"])
    assert (part["cells"], part["done"], part["teacher"]["n"]) == (6, 6, 6)
    against = control(part)["against"]
    assert (against["pairs"], against["difference"]["n"]) == (6, 6)
    assert against["verdict"] == "better"


def test_trainings_on_two_splits_are_too_few(runs):
    for split in (0, 1):
        for seed in (0, 1, 2):
            add_taught(runs, ("I",), {NONE: 0.4}, seed=seed, split=split)
    part = only(only(groups(runs))["leads"])
    assert control(part)["against"]["difference"]["n"] == 6
    assert control(part)["against"]["verdict"] == "too few seeds"
    assert part["gap"]["reason"] == "too few seeds"


def test_multi_label_cells_are_judged_at_one_half(runs):
    draw = np.random.default_rng(0)
    for seed in range(3):
        arms = [multi_label(predictions(right, draw)) for right in (0.9, 0.8, 0.5)]
        rows = zip(("teacher", "taught", "plain"), arms, strict=True)
        cells = {
            name: add_judged(runs, name, arrays, seed=seed) for name, arrays in rows
        }
        cells["taught"]["requires"] = {"teacher": cells["teacher"]["id"]}
        cells["plain"]["controls"] = [{"of": cells["taught"]["id"], "name": NONE}]
    group = only(groups(runs))
    assert (group["problems"], group["strategy"]) == ([], "taught")
    part = only(group["leads"])
    assert control(part)["against"]["verdict"] == "better"
    assert 0 < part["gap"]["share"] < 1


def test_what_differs_beside_leads_and_split_is_another_group(runs):
    for seed in range(3):
        for seconds in (5.0, 10.0):
            cell = add_taught(runs, ("I",), {NONE: 0.4}, seed=seed)
            for one in runs.cells[runs.cells.index(cell) :]:
                one["data"]["options"]["seconds"] = seconds
                one["dataset"] = f"ptbxl (leads=I, seconds={seconds:g})"
    names = [group["data"] for group in groups(runs)]
    assert names == ["ptbxl (seconds=10)", "ptbxl (seconds=5)"]


def test_sets_of_leads_are_joined_and_all_leads_are_called_so(runs):
    for leads in (("II", "V1"), ()):
        add_taught(runs, leads, {NONE: 0.4})
    group = only(groups(runs))
    assert [part["leads"] for part in group["leads"]] == [[], ["II", "V1"]]
    assert group["summary"].endswith("on 2 of 2 lead sets")
    page = to_markdown(board(runs))
    assert "\n| II,V1 " in page
    assert "\n| all " in page


def test_a_list_of_cells_that_tells_nothing_of_data_groups_by_label(taught):
    for cell in taught.cells:
        del cell["data"]
    found = groups(taught)
    names = [group["data"] for group in found]
    assert names == ["ptbxl (leads=I)", "ptbxl (leads=V1)"]
    assert [only(g["leads"])["leads"] for g in found] == [["I"], ["V1"]]


def test_a_suite_without_a_teacher_has_no_such_section(runs):
    runs.done("baseline")
    runs.done("heir")
    runs.cells[-1]["requires"] = {"elder": runs.cells[0]["id"]}
    assert "leads" not in board(runs).model_dump()
    assert "without a teacher" not in to_markdown(board(runs))


def test_a_cell_without_the_control_says_so(runs):
    for seed in range(3):
        add_taught(runs, ("I",), {"shuffled teacher": 0.4}, seed=seed)
    group = only(groups(runs))
    assert group["summary"] == "not measured on 1 of 1 lead"
    assert group["problems"] == ["I: no control called 'no distillation'"]
    shuffled = only(group["leads"][0]["controls"])
    assert shuffled["against"]["verdict"] == "better"
    assert shuffled["beside_untaught"] is None


def test_pairs_that_are_not_done_are_told(taught):
    for cell in taught.cells:
        lacks = cell["strategy"] == f"distillation: {NONE}" and cell["seed"] == 2
        if lacks and cell["data"]["options"]["leads"] == ["I"]:
            shutil.rmtree(taught.root / cell["folder"])
    group = only(groups(taught))
    against = control(group["leads"][0])["against"]
    assert against["difference"]["n"] == 2
    assert against["verdict"] == "too few seeds"
    assert group["problems"] == ["I, no distillation: 2 of 3 pairs measured"]
    assert "- I, no distillation: 2 of 3 pairs measured" in to_markdown(board(taught))


def damaged(arrays, how):
    """The arrays of a file that can't be used."""
    name, value = how
    return arrays | {name: value(arrays[name])}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (None, "is missing"),
        (b"no archive", "is no archive of arrays"),
        (("test_labels", lambda x: x[:-1]), "doesn't hold labels of each record"),
        (("test_labels", lambda x: x + 5), "class indices below 5"),
        (("test_patients", lambda x: np.arange(len(x))), "a patient in each place"),
        (("test_records", np.zeros_like), "holds a record twice"),
        (("test_records", lambda x: x[:0]), "a record's id"),
        (("test_probabilities", lambda x: x * np.nan), "aren't finite"),
        (("test_probabilities", lambda x: x[:, :4]), "isn't of 5 classes"),
        (("test_probabilities", lambda x: x[0]), "doesn't hold probabilities"),
        (("test_probabilities", lambda x: x[::-1]), "isn't that of result.json"),
    ],
)
def test_predictions_that_cannot_be_used_are_told_and_left_out(taught, how, reason):
    ours = [c for c in taught.cells if c["strategy"] == "distillation"]
    folder = taught.root / ours[0]["folder"]
    file = folder / "predictions.npz"
    if how is None:
        file.unlink()
    elif isinstance(how, bytes):
        file.write_bytes(how)
    else:
        with np.load(file) as arrays:
            found = dict(arrays)
        write_predictions(folder, damaged(found, how))
    group = only(groups(taught))
    told = [line for line in group["problems"] if "predictions.npz" in line]
    assert reason in only(told)
    assert only(told).startswith("ptbxl (leads=V1), distillation, seed 0: ")
    assert control(group["leads"][1])["against"]["difference"]["n"] == 2
    assert control(group["leads"][0])["against"]["difference"]["n"] == 3


def test_pickled_predictions_are_not_opened(taught, tmp_path):
    class Opened:
        def __reduce__(self):
            return (tmp_path.joinpath("opened").touch, ())

    folder = taught.root / taught.cells[1]["folder"]
    with (folder / "predictions.npz").open("wb") as stream:
        np.savez(stream, test_records=np.array([Opened()], dtype=object))
    assert "predictions.npz can't be used" in only(groups(taught))["problems"][-1]
    assert not (tmp_path / "opened").exists()


def test_a_teacher_of_other_records_is_compared_with_nobody(runs):
    for seed in range(3):
        add_taught(runs, ("I",), {NONE: 0.4}, seed=seed)
    for cell in [c for c in runs.cells if c["role"] == "required"]:
        arrays = predictions(0.9, np.random.default_rng(0), split=7)
        other = add_judged(runs, "baseline", arrays, seed=9, role="required")
        cell["folder"], other["folder"] = other["folder"], cell["folder"]
        for one in (cell, other):
            path = runs.root / one["folder"] / "result.json"
            write(path, read_json(path) | {"cell": one["id"], "seed": one["seed"]})
    part = only(groups(runs))["leads"][0]
    assert part["teacher"]["n"] == 3
    assert part["gap"]["reason"] == "not measured"
    assert control(part)["against"]["verdict"] == "better"


def test_the_page_has_a_chart_of_each_group_and_its_words(taught, tmp_path):
    page, _ = write_leaderboard(taught.suite(), "demo", tmp_path)
    (found,) = re.findall(r"!\[(Differences[^\]]*)\]\(demo/([^)]*)\)", page.read_text())
    text, name = found
    assert name == "ptbxl.resnet1d-distillation.leads.svg"
    assert "better on 1 of 2 leads" in text
    drawn = (tmp_path / "demo" / name).read_text()
    for label in ("distillation", "shuffled teacher", "I", "V1"):
        assert f">{label}</text>" in drawn
    taught.cells = [c for c in taught.cells if c["role"] == "required"]
    taught.cells[0]["role"] = "suite"
    write_leaderboard(taught.suite(), "demo", tmp_path)
    assert not (tmp_path / "demo" / name).exists()


def test_the_same_files_give_the_same_bytes_in_any_order(taught, tmp_path):
    first = write_leaderboard(taught.suite(), "demo", tmp_path / "a")
    random.Random(0).shuffle(taught.cells)
    second = write_leaderboard(taught.suite(), "demo", tmp_path / "b")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    charts = [next((tmp_path / x / "demo").glob("*.leads.svg")) for x in "ab"]
    assert charts[0].read_bytes() == charts[1].read_bytes()


HOSTILE = "<script>alert(1)</script>|](x.svg) \x1b[31m"


def test_names_of_leads_and_controls_are_shown_as_text(runs, tmp_path):
    for seed in range(3):
        add_taught(runs, (HOSTILE,), {NONE: 0.4, HOSTILE: 0.4}, seed=seed)
    page, _ = write_leaderboard(runs.suite(), "demo", tmp_path)
    text = page.read_text()
    assert "<script" not in text
    assert "\x1b" not in text
    assert not re.search(r"(?<!\\)\]\(x\.svg", text)
    (chart,) = (tmp_path / "demo").glob("*.leads.svg")
    assert "<script" not in chart.read_text()
