"""How much rows trained until they scored as the baseline does."""

import json

import pytest
from pruning_rows import write_history
from test_required_cells import needs

from harness.report.write import write_leaderboard


def add(runs, strategy, scores, seed=0, flops=10, **rest):
    """A done cell with an epoch for each validation macro-F1, of so many FLOPs each;
    a pair is a round and a score.
    """
    places = [s if isinstance(s, tuple) else (None, s) for s in scores]
    changes = {"cost.flops.training": flops * len(scores), **rest.pop("changes", {})}
    folder = runs.done(strategy, seed, changes=changes, **rest)
    rows = [
        {
            "epoch": i,
            "loops": {} if number is None else {"round": number},
            "validation": {"macro_f1": score},
            "flops": flops * (i + 1),
            "effective_epochs": (i + 1) / 2,
        }
        for i, (number, score) in enumerate(places)
    ]
    write_history(folder, rows)
    return folder


@pytest.fixture
def board(runs, tmp_path):
    """Gives the rows by strategy, and the page."""

    def build():
        page, data = write_leaderboard(runs.suite(), "demo", tmp_path / "out")
        table = json.loads(data.read_text())["datasets"][0]["tables"][0]
        return {r["strategy"]: r["time_to_target"] for r in table["rows"]}, (
            page.read_text()
        )

    return build


def means(time):
    keys = ("effective_epochs", "training_flops", "relative_compute")
    return [time[key] and time[key]["mean"] for key in keys]


def test_the_target_is_the_baselines_own_best(runs, board):
    add(runs, "baseline", [0.3, 0.5, 0.7, 0.6, 0.7])
    add(runs, "quick", [0.2, 0.7, 0.6])
    add(runs, "late", [0.1, 0.2, 0.3, 0.4, 0.5, 0.9], flops=20)
    times, page = board()
    assert times["baseline"]["reached"] == times["baseline"]["seeds"] == 1
    assert means(times["baseline"]) == [1.5, 30, 1]
    assert means(times["quick"]) == [1, 20, pytest.approx(2 / 3)]
    assert means(times["late"]) == [3, 120, 4]
    lines = [line for line in page.split("\n") if line.startswith("| quick")]
    assert [x.strip() for x in lines[-1].split("|")[1:-1]] == [
        "quick",
        "1 of 1 seed",
        "1",
        "0.67x",
    ]


def test_seeds_are_paired_and_those_that_never_got_there_are_counted(runs, board):
    for seed, best in enumerate((0.5, 0.7, 0.9)):
        add(runs, "baseline", [0.4, best], seed)
        add(runs, "some", [0.3, 0.6, 0.8], seed)
        add(runs, "none", [0.3, 0.4], seed)
    times, page = board()
    assert (times["some"]["seeds"], times["some"]["reached"]) == (3, 2)
    assert times["some"]["relative_compute"]["n"] == 2
    assert means(times["some"]) == [1.25, 25, 1.25]
    assert (times["none"]["seeds"], times["none"]["reached"]) == (3, 0)
    assert means(times["none"]) == [None, None, None]
    assert "| none       | never (3 seeds) |                  - |         - |" in page


def test_required_cells_count_in_full(runs, board):
    add(runs, "baseline", [0.3, 0.5])
    add(runs, "student", [0.2, 0.6, 0.6], changes={"required": needs(130)})
    times, _ = board()
    assert means(times["student"]) == [1, 120, 6]


def test_a_required_baseline_is_one_too(runs, board):
    add(runs, "baseline", [0.3, 0.5], role="required")
    add(runs, "student", [0.5, 0.6])
    times, page = board()
    assert means(times["student"]) == [0.5, 10, 0.5]
    assert "Time to the baseline's score" in page


def test_what_an_earlier_round_trained_is_not_the_network_of_the_row(runs, board):
    add(runs, "baseline", [0.3, 0.5])
    add(runs, "ticket", [(0, 0.5), (0, 0.6), (1, 0.4), (1, 0.5)])
    add(runs, "lost", [(0, 0.9), (1, 0.1)])
    times, _ = board()
    assert means(times["ticket"]) == [2, 40, 2]
    assert times["lost"]["reached"] == 0


def test_what_was_not_counted_is_not_0(runs, board):
    add(runs, "baseline", [0.3, 0.5])
    add(runs, "uncounted", [0.5], changes={"cost.flops": None})
    times, _ = board()
    assert times["uncounted"]["reached"] == 1
    assert means(times["uncounted"]) == [0.5, None, None]


def test_rows_without_a_history_and_floors_are_left_out(runs, board):
    add(runs, "baseline", [0.3, 0.5])
    add(runs, "linear", [0.5], model=None)
    add(runs, "damaged", [0.5]).joinpath("history.jsonl").write_text("{")
    add(runs, "unjudged", [None])
    add(runs, "other seed", [0.5], seed=7)
    runs.done("untold")
    runs.failed("broken")
    times, page = board()
    assert {name for name, time in times.items() if time} == {"baseline"}
    assert "Time to the baseline's score" not in page


def test_without_the_baselines_history_there_is_no_target(runs, board):
    runs.done("baseline")
    add(runs, "quick", [0.5])
    times, _ = board()
    assert set(times.values()) == {None}


def test_a_cost_that_failed_its_audit_is_marked(runs, board):
    add(runs, "baseline", [0.3, 0.5])
    flagged = {"status": "flagged", "findings": [], "largest_difference": 0.5}
    add(runs, "flagged", [0.5], changes={"cost.audit": flagged})
    _, page = board()
    assert "| flagged ⚠  | 1 of 1 seed |" in page
