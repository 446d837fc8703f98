"""Iterative magnitude pruning as section 1 of the methods' notes defines it."""

import math
from itertools import pairwise

import pytest
import torch
from lottery_runs import (
    LOTTERY,
    PRUNABLE,
    WEIGHTS,
    Witness,
    copied,
    equal,
    kept,
    left,
    lottery,
    masked,
    snapshot,
    trained,
)
from pydantic import ValidationError

from harness import Strategy, hookimpl
from harness.catalog import Catalog
from harness.errors import CellError, ConfigError
from harness.options import Budget

# --- rounds --------------------------------------------------------------------------


def test_every_round_trains_prunes_and_keeps_both_networks(tmp_path):
    run = trained(tmp_path, lottery(rounds=3))
    taken = [(e["name"], e["axes"]) for e in run.snapshots.entries]
    assert taken == [
        ("ticket", {"round": 0}),
        *(
            (name, {"round": number})
            for number in (1, 2, 3)
            for name in ("pruned", "ticket")
        ),
    ]
    assert [row["loops"]["round"] for row in run.history.rows] == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
    ]


@pytest.mark.parametrize(
    ("params", "counts"),
    [
        ({}, [136, 108, 86, 68]),
        ({"scope": "layer"}, [136, 89 + 19, 71 + 15, 56 + 12]),
        ({"rate": 0.5, "primitive": "published"}, [136, 67, 32, 15]),
        ({"schedule": "lth-ecg", "rate": 0.3}, [136, 95, 74, 61]),
        ({"ignore": ["classifier"]}, [136, 89 + 24, 71 + 24, 56 + 24]),
    ],
    ids=["fixed", "layer", "published", "lth-ecg", "ignored"],
)
def test_each_round_leaves_as_many_weights_as_reckoned(tmp_path, params, counts):
    """Nonzero weights after rounds, exactly; pruned and retrained ones alike."""
    run = trained(tmp_path, lottery(rounds=3, **params), epochs=1)
    tickets = [left(snapshot(run, "ticket", n)) for n in range(4)]
    assert tickets == counts
    assert [left(snapshot(run, "pruned", n)) for n in (1, 2, 3)] == counts[1:]
    cost = run.meter.summary(run.model, run.optimizer)
    assert cost["sparsity"]["prunable"] == 1 - counts[-1] / PRUNABLE


def test_masks_lose_weights_and_never_get_one_back(tmp_path):
    run = trained(tmp_path, lottery(rounds=4, rate=0.4), epochs=1)
    masks = [kept(snapshot(run, "ticket", n)) for n in range(5)]
    for before, after in pairwise(masks):
        assert all(not (after[n] & ~before[n]).any() for n in WEIGHTS)


def test_a_round_removes_the_smallest_weights_that_are_left(tmp_path):
    run = trained(tmp_path, lottery(rounds=1, rate=0.4))
    dense, pruned = snapshot(run, "ticket", 0), snapshot(run, "pruned", 1)
    mask = kept(pruned)
    gone = torch.cat([dense[n][~mask[n]].abs() for n in WEIGHTS])
    stay = torch.cat([dense[n][mask[n]].abs() for n in WEIGHTS])
    assert gone.max() <= stay.min()
    assert equal(pruned, masked(dense, mask))


def test_the_final_weights_are_the_most_pruned_ticket_s(tmp_path):
    run = trained(tmp_path, lottery(rounds=2))
    assert equal(copied(run.model), snapshot(run, "ticket", 2))


def test_round_zero_is_the_dense_network(tmp_path):
    run = trained(tmp_path, lottery(rounds=1))
    assert left(snapshot(run, "ticket", 0)) == PRUNABLE
    assert run.history.rows[0]["reduction_factor"] == 1


def test_the_history_has_what_is_left_of_each_layer_once_a_round(tmp_path):
    run = trained(tmp_path, lottery(rounds=2))
    told = [row for row in run.history.rows if "remaining" in row]
    assert [row["loops"]["round"] for row in told] == [0, 1, 2]
    for number, row in enumerate(told):
        mask = kept(snapshot(run, "ticket", number))
        assert row["remaining"] == {n: int(m.sum()) for n, m in mask.items()}
        assert row["reduction_factor"] == PRUNABLE / left(
            snapshot(run, "ticket", number)
        )


def test_a_reduction_factor_ends_with_the_first_round_that_reaches_it(tmp_path):
    run = trained(tmp_path, lottery(rate=0.5, reduction_factor=3.9), epochs=1)
    factors = [r["reduction_factor"] for r in run.history.rows]
    assert factors == [1, 2, 4]


def test_a_reduction_factor_out_of_reach_is_refused_before_training(tmp_path):
    with pytest.raises(ConfigError, match="of 136 weights, 1 would be left"):
        trained(tmp_path, lottery(reduction_factor=200))


def test_rounds_may_be_shorter_than_the_budget(tmp_path):
    run = trained(tmp_path, lottery(rounds=2, epochs_per_round=1), epochs=3)
    assert len(run.history.rows) == 3


# --- under the mask ------------------------------------------------------------------

OPTIMIZERS = {
    "adamw": {"use": "adamw", "lr": 1e-2, "weight_decay": 0.1},
    "adam": {"use": "adam", "lr": 1e-2, "weight_decay": 0.1},
    "momentum": {"use": "sgd", "lr": 1e-2, "momentum": 0.9, "nesterov": True},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rewind", ["init", "learning-rate"])
def test_pruned_weights_are_zero_after_every_step(tmp_path, optimizer, rewind):
    """Pitfall 10: gradients and moments of pruned weights must move nothing."""
    witness = Witness()
    run = trained(
        tmp_path,
        lottery(rounds=2, rate=0.5, rewind=rewind),
        witness,
        optimizer=OPTIMIZERS[optimizer],
        clip_norm=0.5,
    )
    masks = [kept(snapshot(run, "ticket", number)) for number in range(3)]
    assert len(witness.steps) == 3 * 2 * 4
    for (number, state), gradients in zip(
        witness.steps, witness.gradients, strict=True
    ):
        for name, mask in masks[number].items():
            assert not state[name][~mask].any()
            assert not gradients[name][~mask].any()


def test_only_survivors_count_for_the_norm_of_a_clipped_gradient(tmp_path):
    witness = Witness()
    trained(tmp_path, lottery(rounds=1, rate=0.9), witness, clip_norm=1e-3)
    for gradients in witness.gradients:
        norm = torch.cat([g.flatten() for g in gradients.values()]).norm()
        assert float(norm) == pytest.approx(1e-3, rel=1e-2)


# --- the stop rule -------------------------------------------------------------------


def test_a_round_ends_at_the_f1_that_is_called_enough(tmp_path):
    """Section 1.3: each round of the public code stops as soon as F1 is enough."""
    run = trained(tmp_path, lottery(rounds=2, stop_at=1e-6), epochs=4)
    assert [row["epoch"] for row in run.history.rows] == [0, 0, 0]
    run = trained(tmp_path / "never", lottery(rounds=1, stop_at=1.0), epochs=2)
    assert [row["epoch"] for row in run.history.rows] == [0, 1, 0, 1]


def test_the_f1_is_that_of_the_classes_that_are_named(tmp_path):
    reported = []

    class Reports(Strategy):
        name = "reports"

        @hookimpl
        def epoch_end(self, run, report):
            reported.append(report.validation["f1"])

    trained(tmp_path / "a", lottery(rounds=1), Reports(), epochs=6)
    means = [(f1["A"] + f1["C"]) / 2 for f1 in reported[:6]]
    enough = sorted(means)[3]
    first = next(i for i, mean in enumerate(means) if mean >= enough)
    strategy = lottery(rounds=1, stop_at=enough, stop_classes=["A", "C"])
    run = trained(tmp_path / "b", strategy, epochs=6)
    ends = [row for row in run.history.rows if row["loops"]["round"] == 0]
    assert len(ends) == first + 1


def test_the_budget_s_early_stopping_still_holds(tmp_path):
    rule = {"early_stopping": {"patience": 1}, "epochs": 30, "records": 20}
    run = trained(tmp_path, lottery(rounds=1, stop_at=1.0), **rule)
    assert len(run.history.rows) < 60


# --- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"rounds": 3, "reduction_factor": 2.0}, "not both"),
        ({"schedule": "lth-ecg", "rate": 0.005}, "would grow"),
        ({"rewind": "iteration"}, "needs one of rewind_steps and rewind_epochs"),
        (
            {"rewind": "iteration", "rewind_steps": 1, "rewind_epochs": 1.0},
            "needs one of rewind_steps and rewind_epochs",
        ),
        ({"rewind_steps": 5}, "are for rewind"),
        ({"fine_tuning_rate": 0.1}, "is for rewind"),
        ({"stop_classes": ["A"]}, "needs stop_at"),
        ({"rate": 1.0}, "less than 1"),
        ({"alpha": 1.0}, "greater than 1"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(params, told):
    with pytest.raises(ValidationError, match=told):
        lottery(**params)


@pytest.mark.parametrize(
    ("params", "settings", "told"),
    [
        ({"ignore": ["clasifier"]}, {}, "did you mean 'classifier'"),
        ({"ignore": ["zzz"]}, {}, r"it has \['conv', 'classifier'\]"),
        ({"stop_at": 0.5, "stop_classes": ["Z"]}, {}, "no class 'Z'"),
        ({}, {"match": {"what": "flops"}}, "match can't be kept"),
    ],
)
def test_what_the_cell_doesn_t_have_is_refused(tmp_path, params, settings, told):
    with pytest.raises(ConfigError, match=told):
        trained(tmp_path, lottery(**params), **settings)


def test_a_network_without_a_prunable_weight_is_refused(tmp_path):
    with pytest.raises(CellError, match="nothing to prune"):
        trained(tmp_path, lottery(ignore=["conv", "classifier"]))


# --- presets -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LOTTERY.presets))
def test_presets_are_possible_parameters(name):
    preset = LOTTERY.presets[name]
    assert LOTTERY.Params(**preset.params)
    assert Budget(**preset.budget)


def test_a_footnote_warns_of_the_faithful_preset_alone():
    noted = {name for name, preset in LOTTERY.presets.items() if preset.footnote}
    assert noted == {"faithful"}


def test_the_strategy_is_listed_without_torch():
    assert Catalog.discover().get("strategy", "lottery-ticket").light


def test_the_number_of_rounds_is_the_prunings_and_the_dense_training(tmp_path):
    run = trained(tmp_path, lottery(), epochs=1)
    rounds = [row["loops"]["round"] for row in run.history.rows]
    assert rounds == list(range(11))
    expected = PRUNABLE
    for _ in range(10):
        expected -= math.ceil(0.2 * expected)
    assert left(copied(run.model)) == expected
