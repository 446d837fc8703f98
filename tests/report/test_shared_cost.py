"""What a required cell costs each of those that share it."""

import pytest

from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite
from harness.report.render.markdown import to_markdown


def add_required(runs, strategy, flops, **place):
    runs.done(strategy, role="required", changes={"cost.flops.training": flops})
    runs.cells[-1] |= place
    return runs.cells[-1]


def add_student(
    runs, strategy, needs, own=60, forwards=15, roles=("teacher",), **place
):
    """A row whose cell needs these cells: their costs by id, the first one's role."""
    known = [cost for cost in needs.values() if cost is not None]
    part = {"dataset": "ptbxl", "strategies": ["baseline"], "seed": 0}
    required = {
        "roles": dict(zip(roles, needs, strict=False)),
        "cells": {name: part | {"training_flops": f} for name, f in needs.items()},
        "total": {
            "training_flops": own + sum(known) if len(known) == len(needs) else None
        },
    }
    changes = {
        "required": required,
        "cost.flops.training": own,
        "cost.flops.by_module": {
            "model": {"forward": own - forwards, "backward": 0},
            "required:teacher": {"forward": forwards, "backward": 0},
        },
    }
    runs.done(strategy, changes=changes, **place)
    runs.cells[-1]["requires"] = dict(zip(roles, needs, strict=False))
    return runs.cells[-1]


def board(runs):
    return build_leaderboard(read_suite(runs.suite(), "demo"))


def amortised(runs, strategy):
    (table,) = board(runs).model_dump()["datasets"][0]["tables"]
    (row,) = [row for row in table["rows"] if row["strategy"] == strategy]
    return row["amortised"]


def test_a_teacher_is_shared_by_all_cells_that_need_it(runs):
    runs.done("baseline", changes={"cost.flops.training": 200})
    teacher = add_required(runs, "elder", 100)["id"]
    add_student(runs, "one", {teacher: 100})
    add_student(runs, "two", {teacher: 100}, own=80)
    found = amortised(runs, "one")
    assert found["own_training_flops"]["mean"] == 60
    assert found["training_flops"]["mean"] == 60 + 100 / 2
    assert found["relative_compute"]["mean"] == 110 / 200
    assert found["shared_by"] == [2]
    assert found["forward_share"]["mean"] == 15 / 60
    assert amortised(runs, "two")["training_flops"]["mean"] == 130


def test_what_is_needed_through_others_is_shared_as_well(runs):
    first = add_required(runs, "first", 90)["id"]
    middle = add_required(runs, "middle", 40, requires={"teacher": first})["id"]
    add_student(runs, "direct", {first: 90})
    add_student(runs, "last", {middle: 40, first: 90})
    add_student(runs, "other", {first: 90})
    # The middle one is no row: what it needs is borne by whom it is needed by.
    found = amortised(runs, "last")
    assert found["training_flops"]["mean"] == 60 + 40 / 1 + 90 / 3
    assert found["shared_by"] == [1, 3]
    assert amortised(runs, "direct")["training_flops"]["mean"] == 60 + 90 / 3


def test_cells_that_are_not_done_share_too_and_matched_ones_do_not(runs):
    teacher = add_required(runs, "elder", 100)["id"]
    student = add_student(runs, "one", {teacher: 100})["id"]
    runs.cell("planned")
    runs.cells[-1]["requires"] = {"teacher": teacher}
    runs.done("as long", role="control")
    runs.cells[-1]["requires"] = {"match": student}
    assert amortised(runs, "one")["shared_by"] == [2]


def test_cells_that_require_each_other_end_somewhere(runs):
    one = add_student(runs, "one", {"00000000000b": 5})
    other = add_student(runs, "other", {one["id"]: 7})
    one["requires"] = {"teacher": other["id"]}
    assert amortised(runs, "other")["shared_by"] == [1]


def test_an_unknown_cost_stays_unknown(runs):
    teacher = add_required(runs, "elder", None)["id"]
    add_student(runs, "one", {teacher: None})
    found = amortised(runs, "one")
    assert found["training_flops"] is None
    assert found["relative_compute"] is None


def test_results_without_modules_leave_the_share_of_forwards_out(runs):
    teacher = add_required(runs, "elder", 100)["id"]
    add_student(runs, "one", {teacher: 100})
    path = runs.root / runs.cells[-1]["folder"] / "result.json"
    path.write_text(path.read_text().replace("by_module", "by_nothing"))
    assert amortised(runs, "one")["forward_share"] is None


def test_the_page_shows_full_and_amortised_cost_side_by_side(runs):
    runs.done("baseline", changes={"cost.flops.training": 200})
    assert "What required cells cost" not in to_markdown(board(runs))
    teacher = add_required(runs, "elder", 100)["id"]
    for name in ("one", "two", "three", "four"):
        add_student(runs, name, {teacher: 100})
    page = to_markdown(board(runs))
    (line,) = [
        line
        for line in page.splitlines()
        if line.startswith("| one ") and "4 c" in line
    ]
    shown = [part.strip() for part in line.strip("|").split("|")]
    assert shown == [
        *("one", "baseline", "4 cells", "60 FLOP", "160 FLOP", "85 FLOP"),
        *("0.80x", "0.42x", "25 %"),
    ]


@pytest.mark.parametrize("value", [{"model": 3}, [], {"model": {"forward": -1}}])
def test_modules_that_are_no_counts_make_a_result_unreadable(runs, value):
    runs.done("one", changes={"cost.flops.by_module": value})
    assert board(runs).model_dump()["states"] == {"failed": 1}
