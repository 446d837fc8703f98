"""Intervals, verdicts and ranks of rows whose predictions are known."""

import numpy as np
import pytest
from scipy import stats
from taught_rows import CLASSES, add_judged, multi_label, predictions

from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite
from harness.report.render.markdown import to_markdown
from harness.results.predictions import read_test_predictions

RIGHT = {"baseline": 0.6, "dbpd": 0.6, "strong": 0.8, "weak": 0.3}


def board(runs):
    root = runs.suite()
    return build_leaderboard(
        read_suite(root, "demo"), lambda c: read_test_predictions(root / c.cell.folder)
    )


def rows_of(runs):
    (table,) = board(runs).model_dump()["datasets"][0]["tables"]
    return {row["strategy"]: row for row in table["rows"]}


def add(runs, right, seeds=3, patients=120, shape=lambda arrays: arrays):
    """Rows of which so many records are right, all on the same test records."""
    for seed in range(seeds):
        for i, (strategy, share) in enumerate(right.items()):
            draw = np.random.default_rng([seed, i])
            arrays = shape(predictions(share, draw, patients=patients))
            add_judged(runs, strategy, arrays, seed=seed)


def of_row(runs, strategy, figure="macro_f1"):
    return np.array([seed[figure] for seed in rows_of(runs)[strategy]["seeds"]])


def test_verdicts_and_ranks_go_by_seeds_and_records(runs):
    add(runs, RIGHT)
    rows = rows_of(runs)
    assert rows["baseline"]["against_baseline"] is None
    verdicts = {
        name: rows[name]["against_baseline"]["verdict"]
        for name in RIGHT
        if name != "baseline"
    }
    assert verdicts == {
        "dbpd": "no measurable difference",
        "strong": "better",
        "weak": "worse",
    }
    ranks = {name: row["rank"] for name, row in rows.items()}
    assert ranks == {"strong": 1, "baseline": 2, "dbpd": 2, "weak": 4}


def test_a_difference_is_that_of_the_same_seeds(runs):
    add(runs, RIGHT)
    gain = of_row(runs, "strong") - of_row(runs, "baseline")
    found = rows_of(runs)["strong"]["against_baseline"]
    assert found["difference"]["mean"] == pytest.approx(gain.mean())
    assert found["difference"]["spread"] == pytest.approx(gain.std(ddof=1))
    of_seeds = stats.t.interval(0.95, 2, gain.mean(), stats.sem(gain))
    assert found["holds"] == "seeds and records"
    # The patients are known too, which makes the mean less sure and the spread surer.
    assert found["low"] < found["difference"]["mean"] < found["high"]
    assert found["low"] != pytest.approx(of_seeds[0])


def test_every_figure_has_an_interval_around_its_mean(runs):
    add(runs, RIGHT, shape=multi_label)
    row = rows_of(runs)["strong"]
    figures = row["intervals"]["figures"]
    assert set(figures) == {
        *("macro_f1", "exact_match", "label_accuracy", "macro_auroc"),
        *("mean_average_precision", "calibration_error"),
    }
    for name in ("macro_f1", "exact_match", "label_accuracy"):
        assert figures[name]["low"] < row[name]["mean"] < figures[name]["high"]
        assert figures[name]["patients_error"] > 0
    assert list(row["intervals"]["f1"]) == list(CLASSES)
    assert list(row["against_baseline"]["f1"]) == list(CLASSES)
    others = row["against_baseline"]["others"]
    assert set(others) == set(figures) - {"macro_f1"}
    gain = of_row(runs, "strong", "exact_match") - of_row(
        runs, "baseline", "exact_match"
    )
    assert others["exact_match"]["difference"]["mean"] == pytest.approx(gain.mean())


def test_more_patients_make_an_interval_narrower(runs, tmp_path):
    widths = []
    for patients in (60, 960):
        runs.cells.clear()
        add(runs, {"baseline": 0.6}, patients=patients)
        found = rows_of(runs)["baseline"]["intervals"]["figures"]["macro_f1"]
        widths.append(found["patients_error"])
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.3)


@pytest.mark.parametrize(
    ("seeds", "patients", "right", "verdict"),
    [
        pytest.param(2, 120, 0.9, "too few seeds", id="seeds"),
        pytest.param(3, 20, 0.99, "too few records", id="records to rely on"),
        pytest.param(3, 40, 0.5, "too few records", id="records to show much"),
        pytest.param(3, 1000, 0.5, "no measurable difference", id="neither"),
    ],
)
def test_what_is_too_little_to_judge_is_said(runs, seeds, patients, right, verdict):
    add(runs, {"baseline": 0.5, "dbpd": right}, seeds, patients)
    assert rows_of(runs)["dbpd"]["against_baseline"]["verdict"] == verdict


def test_predictions_that_are_gone_leave_their_pair_out(runs):
    add(runs, {"baseline": 0.6, "strong": 0.8}, seeds=4)
    whole = of_row(runs, "strong") - of_row(runs, "baseline")
    (runs.root / runs.cells[1]["folder"] / "predictions.npz").unlink()
    row = rows_of(runs)["strong"]
    found = row["against_baseline"]
    assert row["intervals"] is None
    assert (found["difference"]["n"], found["pairs"]) == (3, 4)
    assert found["difference"]["mean"] == pytest.approx(whole[1:].mean())
    page = to_markdown(board(runs))
    assert "**strong**: seed 0: predictions.npz is missing, so that it has no" in page


def test_without_any_predictions_nothing_is_said_to_be_better(runs):
    add(runs, RIGHT)
    for cell in runs.cells:
        (runs.root / cell["folder"] / "predictions.npz").unlink()
    rows = rows_of(runs)
    assert {row["rank"] for row in rows.values()} == {1}
    assert rows["strong"]["against_baseline"]["verdict"] == "not measured"


def test_a_table_is_told_at_a_glance(runs):
    add(runs, RIGHT)
    runs.failed("strong", 3)
    page = to_markdown(board(runs))
    glance = page.split("**At a glance**\n\n")[1].split("\n\n")[0].splitlines()
    assert len(glance) == 3
    (same,) = [line for line in glance if "**dbpd**" in line]
    assert same.startswith(
        "- **dbpd**: 1.00x the compute of the baseline; "
        "no measurable difference in macro-F1 ("
    )
    (strong,) = [line for line in glance if "**strong**" in line]
    assert "; better in macro-F1 (+" in strong
    assert strong.endswith("; 3 of 4 seeds done.")


def test_ranks_over_data_sets_count_ties_half(runs):
    for dataset in ("a", "b"):
        for strategy, scores in {
            "best": [0.81, 0.82, 0.83],
            "one": [0.70, 0.71, 0.72] if dataset == "a" else [0.5, 0.52, 0.51],
            "other": [0.70, 0.72, 0.71],
            f"only {dataset}": [0.1, 0.2, 0.3],
        }.items():
            for seed, score in enumerate(scores):
                runs.done(strategy, seed, score, dataset=dataset)
    across = build_leaderboard(read_suite(runs.suite(), "demo")).model_dump()["across"]
    assert [title[0] for title in across["tables"]] == ["a", "b"]
    assert {row["strategy"]: row["ranks"] for row in across["rows"]} == {
        "best": [1, 1],
        "other": [2.5, 2],
        "one": [2.5, 3],
    }
    assert [row["mean_rank"] for row in across["rows"]] == [1, 2.25, 2.75]


def test_one_table_has_no_ranks_over_several(runs):
    add(runs, RIGHT)
    found = board(runs)
    assert found.model_dump()["across"] is None
    assert "Across tables" not in to_markdown(found)
