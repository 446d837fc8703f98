"""A weight of negatives shifts probabilities; thresholds from validation undo it.

The loss q log p + w (1 - q) log(1 - p) of a record that has a class with probability q
is least at p* = q / (q + w (1 - q)), so that p >= 0.5 means q >= w / (1 + w).
"""

import numpy as np
import pytest
import torch
from small_runs import cell
from torch import nn

from harness.data.split import SplitData
from harness.data.splits_loaded import DataSplits
from harness.options import Budget, Execution
from harness.training.evaluate import judge
from harness.training.losses import per_sample_loss
from harness.training.outputs import Outputs
from harness.training.run import Run

WEIGHT = 0.1
A_HUNDRED = 100
RATES = {"A": (0.02, 0.06, 0.2, 0.6), "B": (0.05, 0.08, 0.1, 0.3)}
"""How many of a hundred records of each kind have a class."""


def shifted(q):
    return q / (q + WEIGHT * (1 - q))


class Table(nn.Module):
    """A logit for each kind of record and class: as good as a classifier can be."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(4, 2))

    def forward(self, signals):
        return signals[:, :, 0] @ self.logits


def split():
    """A hundred records of each of four kinds, which their signals tell apart."""
    kinds = np.repeat(np.arange(4), A_HUNDRED)
    place = np.tile(np.arange(A_HUNDRED), 4)
    rates = np.array(list(RATES.values())).T[kinds]
    signals = np.eye(4, dtype=np.float32)[kinds][:, :, None]
    return SplitData(
        ids=np.array([f"r{i}" for i in range(len(kinds))]),
        patients=np.array([f"p{i}" for i in range(len(kinds))]),
        labels=torch.from_numpy(place[:, None] < A_HUNDRED * rates - 0.5).float(),
        lengths=np.ones(len(kinds), dtype=np.int64),
        side={},
        leads=("I", "II", "V1", "V5"),
        window=1,
        bucket=1,
        read=lambda i: signals[i],
    )


def judged(folder, weight):
    """Trained to the optimum, and judged on records that have the very same rates."""
    budget = Budget(
        epochs=80,
        batch_size=4 * A_HUNDRED,
        optimizer={"use": "adam", "lr": 0.3},
        schedule={"use": "cosine"},
        weights="last",
        negative_weight=weight,
    )
    same = split()
    splits = DataSplits(
        train=same,
        validation=same,
        test=same,
        classes=tuple(RATES),
        task="multi-label",
        leads=same.leads,
        sampling_rate=100.0,
        samples=1,
        statistics=None,
    )
    run = Run(cell(budget), splits, (), Table, folder, Execution())
    run.execute()
    return judge(run, splits, {})


@pytest.fixture(scope="module")
def by_weight(tmp_path_factory):
    return {
        weight: judged(tmp_path_factory.mktemp("shifted"), weight)
        for weight in (1.0, WEIGHT)
    }


@pytest.mark.parametrize("q", [0.02, 0.0909, 0.3, 0.9])
def test_the_loss_of_a_constant_is_least_at_the_shifted_probability(q):
    optimum = shifted(torch.tensor([[q]], dtype=torch.float64))
    logit = optimum.logit().requires_grad_()
    present, absent = (
        per_sample_loss(Outputs(logit), torch.full((1, 1), y), "multi-label", WEIGHT)
        for y in (1.0, 0.0)
    )
    (q * present + (1 - q) * absent).sum().backward()
    assert logit.grad.item() == pytest.approx(0, abs=1e-12)


def test_one_half_is_a_rate_of_one_in_eleven():
    assert shifted(1 / 11) == pytest.approx(0.5)


def test_trained_probabilities_are_shifted(by_weight):
    rates = np.repeat(np.array(list(RATES.values())).T, A_HUNDRED, axis=0)
    plain, weighted = (by_weight[w].test.probabilities for w in (1.0, WEIGHT))
    np.testing.assert_allclose(plain, rates, atol=0.01)
    np.testing.assert_allclose(weighted, shifted(rates), atol=0.01)


def f1_of_kinds(name, kinds):
    """F1 of a class that is claimed for all records of some kinds."""
    hits = sum(RATES[name][kind] for kind in kinds)
    return 2 * hits / (sum(RATES[name]) + len(kinds))


def test_at_one_half_everything_above_one_in_eleven_is_claimed(by_weight):
    f1 = by_weight[WEIGHT].test.metrics["f1"]
    assert f1["A"] == pytest.approx(f1_of_kinds("A", (2, 3)))
    assert f1["B"] == pytest.approx(f1_of_kinds("B", (2, 3)))


def test_thresholds_from_validation_undo_the_shift(by_weight):
    plain, weighted = (by_weight[w].test_tuned for w in (1.0, WEIGHT))
    assert weighted["f1"] == plain["f1"]
    for name in RATES:
        assert weighted["f1"][name] == pytest.approx(f1_of_kinds(name, (3,)))
        at_half = by_weight[WEIGHT].test.metrics["f1"][name]
        assert weighted["f1"][name] > at_half + 0.05
    assert weighted["thresholds"]["A"] == pytest.approx(shifted(0.6), abs=0.01)
    # 0.6 is the only rate above it: the threshold that is nearest is 0.5 itself.
    assert plain["thresholds"]["A"] == 0.5


def test_figures_at_one_half_stand_beside_it_unchanged(by_weight):
    judgement = by_weight[WEIGHT]
    assert judgement.test.metrics["macro_f1"] < judgement.test_tuned["macro_f1"]
    assert judgement.validation.metrics["macro_f1"] == pytest.approx(
        judgement.test.metrics["macro_f1"]
    )
