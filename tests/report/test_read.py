"""Reading a runs folder: every state, and files that can't be trusted."""

import json

import pytest
from runs_folder import write

from harness.errors import ConfigError
from harness.report.read import read_suite


def only(runs):
    (cell,) = read_suite(runs.suite(), "demo").cells
    return cell


def test_states_follow_from_the_files(runs):
    runs.done("a")
    runs.failed("b", kind="out-of-memory", message="no room")
    runs.failed("c", kind="blocked", message="teacher failed")
    _, folder = runs.cell("d")
    write(folder / "claim-1.json", {"pid": 1})
    runs.cell("e")
    cells = read_suite(runs.suite(), "demo").cells
    states = ["done", "failed", "blocked", "running", "planned"]
    assert [cell.status for cell in cells] == states
    assert cells[1].failure.message == "no room"


def test_a_result_outweighs_an_old_failure_and_a_claim(runs):
    folder = runs.done("a")
    write(folder / "failure.json", {"kind": "crash", "message": "before"})
    write(folder / "claim-1.json", {})
    assert only(runs).status == "done"


@pytest.mark.parametrize(
    "content",
    [
        "",
        '{"schema_version": 1, "cell": "0',
        "[1, 2]",
        '{"schema_version": 1}',
        "\x00\xff",
        "[" * 100_000,
        '{"schema_version": ' + "9" * 5000 + "}",
    ],
)
def test_an_unreadable_result_is_a_failed_cell(runs, content):
    folder = runs.done("a")
    write(folder / "result.json", content)
    cell = only(runs)
    assert (cell.status, cell.result) == ("failed", None)
    assert cell.failure.message.startswith("unreadable result: ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema_version", 2),
        ("metrics.test.macro_f1", "high"),
        ("metrics.test.macro_f1", float("nan")),
        ("metrics.test.macro_f1", 1.5),
        ("cost.flops.training", -1),
        ("cost.flops.training", 1e300),
        ("cell", "another"),
        ("seed", 7),
    ],
)
def test_a_result_of_another_kind_is_a_failed_cell(runs, key, value):
    runs.done("a", changes={key: value})
    cell = only(runs)
    assert cell.status == "failed"
    assert cell.failure.message.startswith("unreadable result: ")


def test_times_and_failures_that_cannot_be_read_do_not_matter_much(runs):
    write(runs.done("a") / "measured.json", "{")
    write(runs.failed("b") / "failure.json", "{")
    done, failed = read_suite(runs.suite(), "demo").cells
    assert (done.status, done.measured) == ("done", None)
    assert (failed.status, failed.failure.kind) == ("failed", "crash")


@pytest.mark.parametrize("folder", ["../outside", "a/../../outside", "/etc", "a\x00b"])
def test_a_folder_outside_of_the_runs_is_refused(runs, folder):
    runs.cell("a", folder=folder)
    result = {"schema_version": 1}
    write(runs.root.parent / "outside" / "result.json", result)
    cell = only(runs)
    assert cell.status == "failed"
    assert "leaves the runs folder" in cell.failure.message


def test_a_folder_that_is_a_file_or_too_long_is_no_crash(runs):
    write(runs.root / "file", "x")
    runs.cell("a", folder="file")
    runs.cell("b", folder="x" * 5000)
    file, long = read_suite(runs.suite(), "demo").cells
    assert (file.status, long.status) == ("planned", "failed")


@pytest.mark.parametrize("suite", ["../demo", "a/b", "", ".hidden", "a\nb"])
def test_a_suite_name_cannot_be_a_path(runs, suite):
    runs.suite()
    with pytest.raises(ConfigError, match="a suite's name"):
        read_suite(runs.root, suite)


def test_an_unknown_suite_is_named_with_the_nearest(runs):
    with pytest.raises(ConfigError, match=r"no suite 'dem'.*'demo'"):
        read_suite(runs.suite(), "dem")


def test_a_broken_list_of_cells_is_a_mistake_with_its_place(runs):
    runs.suite()
    write(runs.root / "suites" / "demo.json", {"schema_version": 1, "suite": "demo"})
    with pytest.raises(ConfigError, match=r"demo\.json.*cells"):
        read_suite(runs.root, "demo")


def test_order_and_repetition_of_cells_do_not_matter(runs):
    for strategy in ("b", "a"):
        for seed in (1, 0):
            runs.done(strategy, seed)
    first = read_suite(runs.suite(), "demo")
    runs.cells = [dict(c, role="required") for c in runs.cells] + runs.cells[::-1]
    assert read_suite(runs.suite(), "demo") == first
    assert {c.cell.role for c in first.cells} == {"suite"}


def test_keys_that_nobody_knows_are_ignored(runs):
    folder = runs.done("a")
    result = json.loads((folder / "result.json").read_text())
    write(folder / "result.json", result | {"new": 1})
    assert only(runs).status == "done"
