"""Means over replicates and their intervals: by hand, by other code, by simulation."""

import math

import numpy as np
import pytest
from drawn_predictions import Population, arms_of
from scipy import stats

from harness.statistics import Scores, estimate, estimate_apart, share_of_gap_closed
from harness.statistics.estimate import student_95


def constants(*arms):
    """Arms on patients whose sampling changes nothing."""
    scores = Scores.without_patients(np.concatenate(arms))
    ends = np.cumsum([len(arm) for arm in arms])
    return [
        scores.arm(range(end - len(arm), end))
        for arm, end in zip(arms, ends, strict=True)
    ]


def drawn(scores, draws):
    """An arm from its scores as found and in draws of patients."""
    return Scores.of_draws(np.array(scores), draws).arm(range(len(scores)))


@pytest.mark.parametrize(
    "degrees", [1, 1.37, 2, 2.5, 4, 17.2, 300, 9999, 1e4, 1e6, math.inf]
)
def test_students_t_is_scipys(degrees):
    assert student_95(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-9)


def test_without_an_effect_of_patients_the_interval_is_students():
    differences = [0.02, 0.05, 0.03, 0.06]
    found = estimate(*constants(differences))
    low, high = stats.t.interval(0.95, 3, np.mean(differences), stats.sem(differences))
    assert found.mean - found.reach == pytest.approx(low)
    assert found.mean + found.reach == pytest.approx(high)


def test_where_replicates_agree_only_patients_count():
    draws = np.random.default_rng(0).normal(0.1, 0.02, 4000)
    found = estimate(drawn(np.full(3, 0.1), np.tile(draws, (3, 1))))
    assert found.reach == pytest.approx(1.959964 * draws.std(ddof=1))
    assert found.patients_error == pytest.approx(draws.std(ddof=1))
    power = stats.norm(found.smallest_shown, found.patients_error).sf(found.reach)
    assert power == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("spread", "wider"),
    [
        pytest.param(1.0, "both", id="both count"),
        pytest.param(0.0, "patients", id="trainings that agree by chance"),
        pytest.param(0.5, "both", id="in between"),
        pytest.param(3.0, "seeds", id="trainings that differ most"),
    ],
)
def test_the_interval_is_that_of_the_formulas_written_out(spread, wider):
    random = np.random.default_rng(1)
    common = random.normal(0, 0.02, 300)
    draws = common + random.normal(0, 0.01, (4, 300))
    scores = 0.1 + spread * np.array([0.0, 0.02, -0.01, 0.05])
    covariances = np.cov(draws)
    shared = np.mean([covariances[i, j] for i in range(4) for j in range(4) if i != j])
    own = np.var(scores, ddof=1) / 4
    degrees = (own + shared) ** 2 / (own**2 / 3) if own else math.inf
    reaches = {
        "both": stats.t.ppf(0.975, degrees) * math.sqrt(own + shared),
        "seeds": stats.t.ppf(0.975, 3) * math.sqrt(own),
        "patients": stats.norm.ppf(0.975) * math.sqrt(covariances.mean()),
    }
    assert max(reaches, key=reaches.get) == wider
    found = estimate(drawn(scores, draws))
    assert found.reach == pytest.approx(reaches[wider], rel=1e-9)


def test_equal_decisions_differ_by_exactly_nothing():
    people = Population(np.random.default_rng(2))
    cells = [people.decide() for _ in range(3)]
    one, other = arms_of(cells, cells, draws=200)
    found = estimate(one.minus(other))
    assert (found.mean, found.reach) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert not found.is_measurable


def test_of_one_replicate_no_interval_is_known():
    found = estimate(*constants([0.3]))
    assert found.reach is None
    assert not found.is_measurable
    draws = np.random.default_rng(6).normal(0.3, 0.02, (1, 500))
    alone = estimate(drawn([0.3], draws))
    assert alone.reach is None
    assert alone.patients_error == pytest.approx(draws.std(ddof=1))


def test_the_share_of_the_gap_is_fiellers():
    taught, untaught, teacher = [0.7, 0.74, 0.71], [0.6, 0.62, 0.63], [0.9, 0.93, 0.89]
    share, low, high = share_of_gap_closed(*constants(taught, untaught, teacher))
    gain, gap = np.subtract(taught, untaught), np.subtract(teacher, untaught)
    assert share == pytest.approx(gain.mean() / gap.mean())
    # Fieller's interval solves a quadratic equation in the share.
    v = np.cov(gain, gap) / 3
    t2 = stats.t.ppf(0.975, 2) ** 2
    ends = np.roots(
        [
            gap.mean() ** 2 - t2 * v[1, 1],
            -2 * (gain.mean() * gap.mean() - t2 * v[0, 1]),
            gain.mean() ** 2 - t2 * v[0, 0],
        ]
    )
    assert (low, high) == pytest.approx((min(ends), max(ends)))


def test_a_share_ends_where_the_difference_becomes_measurable():
    people = Population(np.random.default_rng(3), 150)
    untaught, taught, teacher = arms_of(
        *([people.decide(gain) for _ in range(4)] for gain in (0.0, 0.6, 2.0)),
        draws=500,
    )
    share, low, high = share_of_gap_closed(taught, untaught, teacher)
    assert low < share < high
    for end, outwards in ((low, -1e-6), (high, 1e-6)):
        for moved, measurable in ((end - outwards, False), (end + outwards, True)):
            weights = np.kron([moved - 1, 1, -moved], np.eye(4))
            of = taught.scores
            rest = Scores(weights @ of.values, weights @ of.covariance @ weights.T)
            assert estimate(rest.arm(range(4))).is_measurable is measurable


@pytest.mark.parametrize(
    "teacher",
    [
        pytest.param((0.62, 0.58, 0.6), id="as good"),
        pytest.param((0.9, 0.61, 0.75), id="not surely above"),
        pytest.param((0.3, 0.31, 0.32), id="below"),
    ],
)
def test_without_a_gap_there_is_no_share_of_it(teacher):
    arms = constants([0.65, 0.66, 0.64], [0.6, 0.61, 0.59], teacher)
    assert share_of_gap_closed(*arms) is None


def test_without_an_effect_of_patients_arms_apart_are_welchs():
    ours, theirs = [0.7, 0.74, 0.71, 0.69], [0.6, 0.66, 0.61]
    found = estimate_apart(*constants(ours, theirs))
    welch = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert found.mean - found.reach == pytest.approx(welch.low)
    assert found.mean + found.reach == pytest.approx(welch.high)


def test_patients_that_move_both_arms_alike_cancel_out():
    draws = np.random.default_rng(4).normal(0, 0.05, 4000)
    levels = np.repeat([0.7, 0.6], [3, 4])
    scores = Scores.of_draws(levels, levels[:, None] + draws)
    found = estimate_apart(scores.arm(range(3)), scores.arm(range(3, 7)))
    assert (found.mean, found.reach) == pytest.approx((0.1, 0.0), abs=1e-8)


def test_arms_apart_need_two_replicates_each():
    found = estimate_apart(*constants([0.7], [0.6, 0.61]))
    assert found.mean == pytest.approx(0.095)
    assert found.reach is None
