"""Rows of cells that require others."""

from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite
from harness.report.render.markdown import to_markdown


def board(runs):
    return build_leaderboard(read_suite(runs.suite(), "demo"))


def rows(runs):
    (table,) = board(runs).model_dump()["datasets"][0]["tables"]
    return {row["strategy"]: row for row in table["rows"]}


def needs(total, audit="passed", not_counted=()):
    """What a result says of the teacher that it requires."""
    teacher = {
        "dataset": "ptbxl",
        "model": "resnet1d",
        "strategies": ["baseline"],
        "seed": 0,
        "training_flops": 100,
        "audit": audit,
        "not_counted": list(not_counted),
    }
    return {
        "roles": {"teacher": "a" * 12},
        "cells": {"a" * 12: teacher},
        "total": {"training_flops": total},
    }


def student(runs, total, **teacher):
    changes = {"required": needs(total, **teacher), "cost.flops.training": 60}
    runs.done("student", changes=changes)


def test_a_row_costs_what_it_requires_as_well(runs):
    runs.done("baseline", changes={"cost.flops.training": 100})
    student(runs, 160)
    row = rows(runs)["student"]
    assert row["training_flops"]["mean"] == 160
    assert row["relative_compute"]["mean"] == 1.6
    assert row["seeds"][0]["own_training_flops"] == 60
    assert row["required"]["training_flops"]["mean"] == 100
    assert "the cells that it requires (baseline: 100 FLOP) in full" in to_markdown(
        board(runs)
    )


def test_an_unknown_cost_of_a_required_cell_makes_the_whole_unknown(runs):
    runs.done("baseline")
    student(runs, None)
    row = rows(runs)["student"]
    assert row["training_flops"] is None
    assert row["relative_compute"] is None


def test_a_teacher_that_failed_its_audit_flags_the_row(runs):
    student(runs, 160, audit="flagged", not_counted=["model: aten.lstm"])
    row = rows(runs)["student"]
    assert row["audit"] == "flagged"
    assert row["not_counted"] == ["model: aten.lstm"]
    assert "their own cost failed its audit" in to_markdown(board(runs))


def test_a_row_is_blocked_no_longer_than_what_it_requires_fails(runs):
    elder = runs.failed("elder", role="required")
    ids = {c["strategy"]: c["id"] for c in runs.cells}
    for name, needed in (("pupil", "elder"), ("grand", "pupil")):
        runs.failed(name, kind="blocked", message=f"requires {needed}")
        runs.cells[-1]["requires"] = {"elder": ids[needed]}
        ids[name] = runs.cells[-1]["id"]
    assert {r["states"]["blocked"] for r in rows(runs).values()} == {1}
    (elder / "failure.json").unlink()
    assert {r["states"]["planned"] for r in rows(runs).values()} == {1}
