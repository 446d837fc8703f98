"""Masks, rates and rounds of lottery-ticket against published and computed figures.

Figures are of LTH-ECG (Sahu et al. 2022, doi 10.1109/EMBC48229.2022.9871259), of its
public code, and of the 34-layer network of Hannun et al. 2019.
"""

from importlib import import_module
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_networks import CINC2017
from torch import nn

from harness.catalog.modules import load_module
from harness.cost.sparsity import prunable
from harness.errors import CellError, ConfigError

PLUGIN = Path(__file__).parents[2] / "plugins/strategies/lottery_ticket/__init__.py"
PACKAGE = load_module(PLUGIN).__name__
schedule = import_module(f"{PACKAGE}.schedule")
pruning = import_module(f"{PACKAGE}.pruning")

HANNUN = 10_454_528
"""Prunable weights of the network of Hannun et al. 2019."""


def reductions(shares, rounds, total=HANNUN, primitive="exact"):
    counts = schedule.remaining_after([total], shares, primitive)
    return [total / left for left in islice(counts, rounds)]


# --- rates and rounds --------------------------------------------------------------


def test_thirty_percent_a_round_reduces_as_published():
    """The loop of Frankle & Carbin 2019 as the LTH-ECG code runs it: 11 rounds."""
    published = [1.43, 2.04, 2.92, 4.16, 5.95, 8.50, 12.1, 17.4, 24.8, 35.4, 50.6]
    assert reductions(schedule.fixed(0.3), 11) == pytest.approx(published, rel=4e-3)


def test_the_lth_ecg_schedule_in_percent():
    """Sahu et al. 2022: p <- p^(1/alpha) from 30 percent, alpha = 1.1."""
    percent = [100 * s for s in islice(schedule.lth_ecg(0.3, 1.1), 101)]
    first = [30, 22.0, 16.6, 12.9, 10.2, 8.26]
    assert percent[:6] == pytest.approx(first, rel=3e-3)
    assert percent[10] == pytest.approx(3.711, abs=5e-4)
    assert percent[20] == pytest.approx(1.66, abs=5e-3)
    assert percent[50] == pytest.approx(1.03, abs=5e-3)
    assert percent[100] == pytest.approx(1.0002, abs=5e-5)


def test_the_lth_ecg_schedule_never_goes_below_one_percent():
    """Its fixed point is 1 percent: the rule depends on the unit."""
    shares = list(islice(schedule.lth_ecg(0.3, 1.1), 2000))
    assert min(shares) >= 0.01 - 1e-12
    assert next(islice(schedule.lth_ecg(0.01, 1.1), 50, None)) == pytest.approx(0.01)


def test_a_lowest_rate_ends_the_decay():
    shares = list(islice(schedule.lth_ecg(0.3, 1.1, 0.1), 20))
    assert shares[4] > 0.1
    assert shares[5:] == [0.1] * 15


@pytest.mark.parametrize("primitive", ["exact", "published"])
@pytest.mark.parametrize(
    ("shares", "to_42", "to_142"),
    [
        (lambda: schedule.lth_ecg(0.3, 1.1), 227, 348),
        (lambda: schedule.fixed(0.2), 17, 23),
        (lambda: schedule.fixed(0.3), 11, 14),
    ],
    ids=["lth-ecg", "20 %", "30 %"],
)
def test_rounds_to_the_published_reductions(shares, to_42, to_142, primitive):
    """142 is the reduction of Sahu et al. 2022, 42 that of its public code."""
    rounds = [
        schedule.rounds_to(theta, [HANNUN], shares(), primitive) for theta in (42, 142)
    ]
    assert rounds == [to_42, to_142]


def test_a_rate_divided_each_round_saturates_at_36_7():
    """The other reading of the rule, p <- p / alpha, can't reach the published 42."""

    def divided():
        return (0.3 * (1 / 1.1) ** k for k in range(20_000))

    assert reductions(divided(), 150)[-1] == pytest.approx(36.7, abs=0.05)
    with pytest.raises(ConfigError, match="reduction_factor = 42 is out of reach"):
        schedule.rounds_to(42, [HANNUN], divided())


@pytest.mark.parametrize(("left", "rounds"), [(248_917, 1), (248_918, 2)])
def test_a_reduction_of_42_leaves_248917_of_the_network_s_weights(left, rounds):
    """The target of the public LTH-ECG code: 0.95 MiB of fp32 values."""
    shares = iter([1 - left / HANNUN, 0.5])
    assert schedule.rounds_to(42, [HANNUN], shares) == rounds


def test_a_share_of_a_round_number_isn_t_rounded_up_twice():
    assert schedule.removals(100, 0.07) == 7
    assert schedule.removals(101, 0.07) == 8


@given(weights=st.integers(1, 10_000), share=st.floats(1e-4, 0.999))
@settings(deadline=None)
def test_one_weight_is_always_left(weights, share):
    """Pitfall 9 of the public code: its index runs out of range where all would go."""
    for primitive in ("exact", "published"):
        removed = schedule.removals(weights, share, primitive)
        assert 0 <= removed < weights
        assert removed > 0 or weights == 1


# --- masks ---------------------------------------------------------------------------


def network(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv1d(3, 5, 7), nn.BatchNorm1d(5), nn.Flatten(), nn.Linear(20, 4)
    )
    weights = pruning.prunable_weights(model)
    return weights, {
        n: torch.ones_like(w, dtype=torch.bool) for n, w in weights.items()
    }


def left(masks):
    return sum(pruning.remaining(masks).values())


@given(
    seed=st.integers(0, 100),
    share=st.floats(0.01, 0.9),
    scope=st.sampled_from(["global", "layer"]),
    primitive=st.sampled_from(["exact", "published"]),
)
@settings(max_examples=30, deadline=None)
def test_masks_only_ever_lose_weights_and_as_many_as_reckoned(
    seed, share, scope, primitive
):
    weights, masks = network(seed)
    sizes = [w.numel() for w in weights.values()]
    layers = [sum(sizes)] if scope == "global" else sizes
    expected = schedule.remaining_after(layers, schedule.fixed(share), primitive)
    for count in islice(expected, 5):
        after = pruning.magnitude_masks(weights, masks, share, scope, primitive)
        assert all(not (after[n] & ~masks[n]).any() for n in masks)
        assert left(after) == count
        masks = after


def test_global_pruning_has_one_threshold_for_all_layers():
    weights, masks = network()
    after = pruning.magnitude_masks(weights, masks, 0.4)
    kept = torch.cat([w[after[n]].abs() for n, w in weights.items()])
    gone = torch.cat([w[~after[n]].abs() for n, w in weights.items()])
    assert gone.max() <= kept.min()
    shares = {n: float(mask.float().mean()) for n, mask in after.items()}
    assert len(set(shares.values())) > 1


def test_layerwise_pruning_takes_the_share_of_each_layer():
    weights, masks = network()
    after = pruning.magnitude_masks(weights, masks, 0.4, "layer")
    assert pruning.remaining(after) == {"0.weight": 63, "3.weight": 48}


def test_the_published_threshold_removes_one_more():
    """Section 1.4 of the methods' notes: tau = sorted[k], strictly above it is kept."""
    weights = {"w": torch.arange(1.0, 11.0)}
    masks = {"w": torch.ones(10, dtype=torch.bool)}
    exact, published = (
        pruning.magnitude_masks(weights, masks, 0.3, "global", primitive)["w"]
        for primitive in ("exact", "published")
    )
    assert exact.tolist() == [False] * 3 + [True] * 7
    assert published.tolist() == [False] * 4 + [True] * 6


def test_of_equal_weights_the_first_go_or_as_published_all():
    weights = {"a": torch.tensor([2.0, -1.0, 1.0]), "b": torch.tensor([1.0, 3.0])}
    masks = {n: torch.ones_like(w, dtype=torch.bool) for n, w in weights.items()}
    exact = pruning.magnitude_masks(weights, masks, 0.4)
    assert exact["a"].tolist() == [True, False, False]
    assert exact["b"].tolist() == [True, True]
    published = pruning.magnitude_masks(weights, masks, 0.4, "global", "published")
    assert published["a"].tolist() == [True, False, False]
    assert published["b"].tolist() == [False, True]


def test_a_threshold_that_all_weights_equal_is_refused():
    weights = {"w": torch.ones(4)}
    masks = {"w": torch.ones(4, dtype=torch.bool)}
    with pytest.raises(CellError, match="none would be left"):
        pruning.magnitude_masks(weights, masks, 0.3, "global", "published")


def test_pruned_weights_are_not_counted_again():
    weights = {"w": torch.tensor([0.0, 1.0, 2.0, 3.0])}
    masks = {"w": torch.tensor([False, True, True, True])}
    after = pruning.magnitude_masks(weights, masks, 1 / 3)["w"]
    assert after.tolist() == [False, False, True, True]


def test_random_masks_keep_as_many_of_what_is_left():
    weights, masks = network()
    ticket = pruning.magnitude_masks(weights, masks, 0.4)
    counts = pruning.remaining(ticket)
    drawn = [
        pruning.random_masks(masks, counts, np.random.default_rng(seed))
        for seed in (0, 0, 1)
    ]
    assert all(pruning.remaining(d) == counts for d in drawn)
    assert torch.equal(drawn[0]["0.weight"], drawn[1]["0.weight"])
    assert not torch.equal(drawn[0]["0.weight"], drawn[2]["0.weight"])
    fewer = {name: count // 2 for name, count in counts.items()}
    after = pruning.random_masks(drawn[0], fewer, np.random.default_rng(2))
    assert all(not (after[n] & ~drawn[0][n]).any() for n in after)


@pytest.mark.parametrize(
    ("counts", "told"),
    [({"0.weight": 9}, "in one of two"), ({"0.weight": 106, "3.weight": 1}, "106")],
)
def test_random_masks_of_another_network_are_refused(counts, told):
    _, masks = network()
    with pytest.raises(CellError, match=told):
        pruning.random_masks(masks, counts, np.random.default_rng(0))


def test_masks_are_told_from_a_pruned_network_s_zeros():
    weights, masks = network()
    after = pruning.magnitude_masks(weights, masks, 0.4)
    pruning.apply_masks(weights, after)
    found = pruning.masks_in(weights, masks)
    assert all(torch.equal(found[name], after[name]) for name in after)


# --- what may be pruned --------------------------------------------------------------


def test_the_published_network_has_its_prunable_weights(plugin):
    """Section 1.2 of the methods' notes: 34 tensors, 10,454,528 weights."""
    model = plugin("models/resnet1d/__init__.py", "ResNet1d")
    with torch.device("meta"):
        built = model(model.Params(**CINC2017)).build(1, 8960, 4)
    weights = pruning.prunable_weights(built)
    assert len(weights) == 34
    assert sum(weight.numel() for weight in weights.values()) == HANNUN


def test_what_may_be_pruned_is_what_sparsity_is_measured_of(plugin):
    model = plugin("models/cnn1d/__init__.py", "CNN1d")
    built = model().build(2, 100, 5)
    weights = pruning.prunable_weights(built)
    measured = prunable(built)
    assert list(weights) == [f"{layer}.weight" for layer in measured]
    for ours, theirs in zip(weights.values(), measured.values(), strict=True):
        assert ours is theirs


def test_biases_norms_and_ignored_modules_are_never_pruned():
    model = nn.Sequential(
        nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2)), nn.Linear(2, 3)
    )
    assert list(pruning.prunable_weights(model)) == ["0.0.weight", "1.weight"]
    assert list(pruning.prunable_weights(model, ["0"])) == ["1.weight"]
    assert list(pruning.prunable_weights(model, ["1", "0.0"])) == []


def test_shared_weights_count_once():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert list(pruning.prunable_weights(nn.Sequential(first, second))) == ["0.weight"]
