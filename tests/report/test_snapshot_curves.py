"""Snapshots over seeds: what a row was worth on the way, and how large it was."""

import pytest
from pruning_rows import BUILT, LAYERS, add_pruned, size, snapshot
from runs_folder import write

from harness.report.board.build import build_leaderboard
from harness.report.board.snapshot_curves import revision_of, rounds_of
from harness.report.read import read_suite


def row(runs, strategy="ticket"):
    board = build_leaderboard(read_suite(runs.suite(), "demo"))
    rows = board.model_dump()["datasets"][0]["tables"][0]["rows"]
    return next(row for row in rows if row["strategy"] == strategy)


def typed_row(runs, strategy):
    board = build_leaderboard(read_suite(runs.suite(), "demo"))
    (found,) = [r for r in board.datasets[0].tables[0].rows if r.strategy == strategy]
    return found


def mean(value, n):
    """Of seeds that agree."""
    return {"mean": pytest.approx(value), "spread": 0.0 if n > 1 else None, "n": n}


def test_a_point_is_a_name_with_axes_over_seeds(runs):
    for seed, quality in enumerate([0.6, 0.7]):
        add_pruned(runs, seed=seed, quality=quality)
    curve = row(runs)["curve"]
    assert [(p["snapshot"], p["axes"]["round"]) for p in curve] == [
        ("pruned", 1),
        ("pruned", 2),
        ("ticket", 0),
        ("ticket", 1),
        ("ticket", 2),
    ]
    ticket = curve[-1]
    spread = pytest.approx(0.1 / 2**0.5)
    expected = {"mean": pytest.approx(0.65), "spread": spread, "n": 2}
    assert ticket["macro_f1"] == ticket["accuracy"] == expected
    assert curve[1]["macro_f1"]["mean"] == pytest.approx(0.35)
    assert ticket["remaining"] == mean(250, 2)
    assert ticket["reduction_factor"] == mean(4, 2)
    assert ticket["sparsity"] == mean(0.75, 2)
    assert ticket["stored_total"] == mean(1700, 2)
    assert ticket["stored_dense_total"] == mean(4200, 2)
    assert ticket["dense_macs"] == mean(64_000, 2)
    assert ticket["sparse_macs"] == mean(16_000, 2)
    assert ticket["latency_seconds"]["mean"] == pytest.approx(0.0025)


def test_the_size_of_the_final_weights(runs):
    add_pruned(runs)
    assert row(runs)["size"]["remaining"] == mean(250, 1)
    assert row(runs)["size"]["latency_seconds"] == mean(0.002, 1)


def test_layers_keep_the_order_of_the_network(runs):
    """Keys of a JSON file are sorted, so that they tell nothing of it."""
    for seed in range(2):
        add_pruned(runs, seed=seed)
    layers = row(runs)["layers"]
    assert [one["layer"] for one in layers] == LAYERS
    assert [one["first"]["mean"] for one in layers] == [100, 100, 100, 700]
    assert [one["last"]["mean"] for one in layers] == [25, 25, 25, 175]


def test_rows_without_snapshots_have_no_points(runs):
    runs.done("baseline")
    runs.failed("broken")
    for strategy in ("baseline", "broken"):
        found = row(runs, strategy)
        assert (found["curve"], found["layers"], found["size"]) == ([], [], None)


def test_what_a_seed_lacks_is_not_measured(runs):
    for seed, figures in enumerate([None, size(500)]):
        one = snapshot("ticket", 0.5, figures, round=1)
        runs.done("ticket", seed, changes={"snapshots": [one]})
    (point,) = row(runs)["curve"]
    assert point["macro_f1"]["n"] == 2
    assert point["remaining"] == mean(500, 1)
    assert point["latency_seconds"] is None


def test_a_network_that_lost_channels_is_measured_by_what_was_built(runs):
    figures = size(250, built=250)
    runs.done("slim", changes={"snapshots": [snapshot("x", 0.5, figures, round=1)]})
    (point,) = row(runs, "slim")["curve"]
    assert point["reduction_factor"]["mean"] == BUILT / 250
    assert point["sparsity"]["mean"] == 0
    assert point["parameters"]["mean"] == 300


def test_rounds_put_both_sides_of_a_retraining_together(runs):
    add_pruned(runs)
    rounds = rounds_of(typed_row(runs, "ticket"))
    assert [r.number for r in rounds] == [0, 1, 2]
    assert rounds[0].pruned is None
    assert rounds[2].retrained.snapshot == "ticket"
    assert rounds[2].pruned.snapshot == "pruned"


def test_revisions_within_rounds_are_no_rounds(runs):
    kept = [
        snapshot(name, 0.5 + number / 10, size(900), round=number)
        for name in ("before-revision", "after-revision")
        for number in range(2)
    ]
    runs.done("both", changes={"snapshots": kept})
    assert rounds_of(typed_row(runs, "both")) == []
    revision = revision_of(typed_row(runs, "both"))
    assert revision.axes == {"round": 1}
    assert revision.before.figure("macro_f1").mean == pytest.approx(0.6)


@pytest.mark.parametrize(
    "damage",
    [
        {"remaining": -1},
        {"remaining": 1 << 60},
        {"sparsity": 1.5},
        {"reduction_factor": float("1e31")},
        {"remaining_by_layer": {"stem": "many"}},
        {"stored_bytes": {"values": 1}},
    ],
)
def test_a_size_that_cannot_be_makes_the_result_unreadable(runs, damage):
    one = snapshot("ticket", 0.5, size(500) | damage, round=1)
    runs.done("ticket", changes={"snapshots": [one]})
    found = row(runs)
    assert found["states"] == {"failed": 1}
    assert "snapshots.0.size" in found["seeds"][0]["failure"]["message"]


def test_a_latency_that_cannot_be_is_left_out(runs):
    folder = add_pruned(runs)
    write(folder / "measured.json", {"latency_seconds": {"final": -1}})
    assert row(runs)["size"]["latency_seconds"] is None
