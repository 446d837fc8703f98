"""Ranking, pairing by seed and what isn't measured."""

import json

import pytest

from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite


def leaderboard(runs):
    return build_leaderboard(read_suite(runs.suite(), "demo"))


def only_table(runs):
    (dataset,) = leaderboard(runs).model_dump()["datasets"]
    (table,) = dataset["tables"]
    return table


def rows(runs):
    return {row["strategy"]: row for row in only_table(runs)["rows"]}


def test_rows_are_sorted_by_the_mean_over_seeds(runs):
    for seed, (low, high) in enumerate([(0.9, 0.6), (0.1, 0.6)]):
        runs.done("lucky", seed, low, model="m")
        runs.done("steady", seed, high, model="m")
    first, second = only_table(runs)["rows"]
    assert (first["strategy"], second["strategy"]) == ("steady", "lucky")
    assert second["macro_f1"] == {
        "mean": pytest.approx(0.5),
        "spread": pytest.approx(0.8 / 2**0.5),
        "min": 0.1,
        "max": 0.9,
        "n": 2,
    }
    assert [seed["macro_f1"] for seed in second["seeds"]] == [0.9, 0.1]


def test_rows_that_cannot_be_told_apart_share_a_rank(runs):
    scores = {
        "best": [0.81, 0.82, 0.83],
        "unsteady": [0.60, 0.80, 0.94],
        "second": [0.70, 0.71, 0.72],
        "last": [0.50, 0.51, 0.52],
    }
    for strategy, found in scores.items():
        for seed, macro_f1 in enumerate(found):
            runs.done(strategy, seed, macro_f1)
    ranks = [(row["strategy"], row["rank"]) for row in only_table(runs)["rows"]]
    assert ranks == [("best", 1), ("unsteady", 1), ("second", 2), ("last", 3)]


def test_no_row_is_ranked_above_one_of_a_higher_mean(runs):
    scores = {
        "best": [0.81, 0.82, 0.83],
        "second": [0.70, 0.71, 0.72],
        "unsteady": [0.40, 0.70, 0.94],
    }
    for strategy, found in scores.items():
        for seed, macro_f1 in enumerate(found):
            runs.done(strategy, seed, macro_f1)
    ranks = [(row["strategy"], row["rank"]) for row in only_table(runs)["rows"]]
    assert ranks == [("best", 1), ("second", 2), ("unsteady", 2)]


def test_equal_means_are_ordered_by_name(runs):
    runs.done("b", macro_f1=0.5)
    runs.done("a", macro_f1=0.5)
    assert list(rows(runs)) == ["a", "b"]


def test_one_seed_has_no_spread(runs):
    runs.done("a", macro_f1=0.6)
    runs.done("b", macro_f1=0.5)
    found = rows(runs)["a"]
    assert found["macro_f1"]["spread"] is None
    assert found["intervals"]["figures"]["macro_f1"]["low"] is None


def test_compute_is_relative_to_the_baseline_of_the_same_seed(runs):
    for seed, (whole, part) in enumerate([(100, 50), (1000, 100)]):
        runs.done("baseline", seed, changes={"cost.flops.training": whole})
        runs.done("dbpd", seed, changes={"cost.flops.training": part})
    found = rows(runs)
    assert found["baseline"]["relative_compute"]["mean"] == 1
    assert found["dbpd"]["relative_compute"]["mean"] == pytest.approx((0.5 + 0.1) / 2)


def test_a_seed_without_baseline_is_left_out_of_relative_compute(runs):
    runs.done("baseline", 0)
    runs.failed("baseline", 1)
    runs.done("dbpd", 0)
    runs.done("dbpd", 1)
    dbpd = rows(runs)["dbpd"]
    assert (dbpd["relative_compute"]["n"], dbpd["done"]) == (1, 2)


@pytest.mark.parametrize("flops", [None, 0])
def test_without_a_measured_baseline_compute_is_not_measured(runs, flops):
    runs.done("baseline", changes={"cost.flops.training": flops})
    runs.done("dbpd")
    assert rows(runs)["dbpd"]["relative_compute"] is None


def test_without_a_baseline_compute_is_not_measured(runs):
    runs.done("dbpd")
    table = only_table(runs)
    assert table["baseline"] is None
    assert table["rows"][0]["relative_compute"] is None


def test_the_baseline_is_that_of_the_same_model_and_data(runs):
    for model, flops in (("small", 10), ("large", 1000)):
        changes = {"cost.flops.training": flops}
        runs.done("baseline", model=model, changes=changes)
        runs.done("dbpd", model=model, changes={"cost.flops.training": 5})
    (dataset,) = leaderboard(runs).model_dump()["datasets"]
    ratios = {
        table["model"]: table["rows"][1]["relative_compute"]["mean"]
        for table in dataset["tables"]
    }
    assert ratios == {"small": 0.5, "large": 0.005}


def test_a_renamed_baseline_serves_when_it_is_the_only_one(runs):
    runs.done("plain", changes={"strategy.names": ["baseline"]})
    assert only_table(runs)["baseline"] == "plain"
    runs.done("plainer", changes={"strategy.names": ["baseline"]})
    assert only_table(runs)["baseline"] is None


def test_a_required_baseline_serves_without_being_a_row(runs):
    runs.done("baseline", role="required")
    runs.done("dbpd")
    table = only_table(runs)
    assert [row["strategy"] for row in table["rows"]] == ["dbpd"]
    assert table["rows"][0]["relative_compute"]["mean"] == 1


def test_failed_and_unfinished_rows_come_last_and_are_seen(runs):
    runs.done("whole", 0, 0.2)
    runs.done("whole", 1, 0.2)
    runs.done("partly", 0, 0.9)
    runs.failed("partly", 1, message="no room")
    runs.failed("broken", 0)
    runs.cell("broken", 1)
    found = only_table(runs)["rows"]
    assert [row["strategy"] for row in found] == ["whole", "partly", "broken"]
    assert [row["rank"] for row in found] == [1, None, None]
    assert found[1]["states"] == {"done": 1, "failed": 1}
    assert found[1]["seeds"][1]["failure"]["message"] == "no room"
    assert found[2]["macro_f1"] is None


def test_floors_stand_in_each_table_of_their_data_set(runs):
    runs.done("majority", model=None, dataset="a")
    for dataset, model in (("a", "x"), ("a", "y"), ("b", "x")):
        runs.done("baseline", dataset=dataset, model=model)
    floors = {
        (dataset["label"], table["model"], row["strategy"]): row["floor"]
        for dataset in leaderboard(runs).model_dump()["datasets"]
        for table in dataset["tables"]
        for row in table["rows"]
    }
    assert floors == {
        ("a", "x", "majority"): True,
        ("a", "x", "baseline"): False,
        ("a", "y", "majority"): True,
        ("a", "y", "baseline"): False,
        ("b", "x", "baseline"): False,
    }


def test_a_suite_of_floors_alone_has_a_table(runs):
    runs.done("majority", model=None)
    table = only_table(runs)
    assert (table["model"], len(table["rows"])) == (None, 1)


NOT_MEASURED = {
    "effective_epochs": "cost.effective_epochs",
    "forward_epochs": "cost.forward_epochs",
    "training_flops": "cost.flops",
    "sparsity": "cost.sparsity",
    "peak_memory_bytes": "cost.peak_memory_bytes",
    "audit": "cost.audit",
    "macro_auroc": "metrics.test.macro_auroc",
}


@pytest.mark.parametrize("figure", NOT_MEASURED)
def test_what_is_null_is_not_measured_and_never_zero(runs, figure):
    runs.done("a", changes={NOT_MEASURED[figure]: None})
    assert rows(runs)["a"][figure] is None


def test_zero_stays_zero(runs):
    runs.done("a", changes={"cost.flops.training": 0, "cost.effective_epochs": 0})
    found = rows(runs)["a"]
    assert found["training_flops"]["mean"] == 0
    assert found["effective_epochs"]["mean"] == 0


def test_one_flagged_seed_flags_the_row(runs):
    audit = {"status": "flagged", "largest_difference": 0.3}
    runs.done("a", 0)
    runs.done("a", 1, changes={"cost.audit": audit})
    assert rows(runs)["a"]["audit"] == "flagged"


def test_class_subsets_are_means_over_seeds(runs):
    for seed, value in enumerate([0.8, 0.6]):
        changes = {"metrics.test.class_subsets": {"f1_nao": value}}
        runs.done("a", seed, changes=changes)
    assert rows(runs)["a"]["class_subsets"]["f1_nao"]["mean"] == pytest.approx(0.7)


def test_a_budget_of_its_own_is_shown_with_the_row(runs):
    runs.done("baseline")
    runs.done("dbpd", changes={"budget.epochs": 40})
    found = rows(runs)
    assert found["baseline"]["own_budget"] == {}
    assert found["dbpd"]["own_budget"] == {"epochs": 40}


def test_a_setting_that_older_results_lack_had_its_default(runs):
    runs.done("baseline")
    runs.done("dbpd", changes={"budget.negative_weight": 1.0})
    runs.done("other", changes={"budget.negative_weight": 0.1})
    found = rows(runs)
    assert found["dbpd"]["own_budget"] == {}
    assert found["other"]["own_budget"] == {"negative_weight": 0.1}


def test_different_data_under_one_label_is_told(runs):
    runs.done("a")
    runs.done("b", changes={"dataset.fingerprint": "another"})
    about = leaderboard(runs).model_dump()["datasets"][0]["about"]
    assert about["fingerprints"] == ["9f86d081884c", "another"]


def test_required_cells_that_are_not_done_are_listed(runs):
    runs.done("a")
    runs.failed("teacher", role="required")
    runs.done("other", role="required")
    assert [
        cell["strategy"] for cell in leaderboard(runs).model_dump()["required"]
    ] == ["teacher"]


def test_the_value_is_plain_json_even_with_nothing_done(runs):
    runs.cell("a")
    runs.cell("majority", model=None)
    board = leaderboard(runs)
    assert json.loads(board.to_json()) == board.model_dump()
    assert board.model_dump()["datasets"][0]["about"] is None
    assert board.model_dump()["states"] == {"planned": 2}


def test_the_network_has_the_weights_that_it_was_built_with(runs):
    runs.done("baseline", changes={"model.parameters": 1000})
    runs.done("structured-pruning", changes={"model.parameters": 400})
    found = build_leaderboard(read_suite(runs.suite(), "demo"))
    (table,) = found.model_dump()["datasets"][0]["tables"]
    assert table["parameters"] == 1000
