"""Influences of records, against scikit-learn's weighted metrics and textbooks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from harness.metrics.metrics import decisions, evaluate_probabilities
from harness.statistics import PatientDraws, Scores
from harness.statistics.influence import (
    balanced_accuracy,
    brier_score,
    class_f1,
    decision_figures,
    probability_figures,
    swayed_macro_f1,
)

CLASSES = 3
STEP = 1e-5


@st.composite
def predictions(draw):
    """Probabilities on a grid, so that ties are common, and labels that fit a bit."""
    records = draw(st.integers(20, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    task = draw(st.sampled_from(["single-label", "multi-label"]))
    steps = draw(st.sampled_from([7, 100, 100_000]))
    scores = (random.integers(0, steps, (records, CLASSES)) + 0.3) / steps
    if task == "single-label":
        scores /= scores.sum(axis=1, keepdims=True)
        return task, scores, random.integers(0, CLASSES, records)
    return task, scores, (random.random((records, CLASSES)) < scores).astype(int)


def has_both(truth):
    return 0 < truth.sum() < len(truth)


def weighted(name, task, truth, predicted, scores):
    """A figure as a function of the records' weights, by scikit-learn."""

    def mean_over_classes(score, values, keep):
        columns = [i for i in range(truth.shape[1]) if keep(truth[:, i])]

        def of(weights):
            return np.mean(
                [
                    score(truth[:, i], values[:, i], sample_weight=weights)
                    for i in columns
                ]
            )

        return of if columns else None

    if name == "macro_f1":
        return lambda w: oracle.f1_score(
            truth, predicted, average="macro", zero_division=0, sample_weight=w
        )
    if name in ("accuracy", "exact_match"):
        return lambda w: oracle.accuracy_score(truth, predicted, sample_weight=w)
    if name == "label_accuracy":
        return mean_over_classes(oracle.accuracy_score, predicted, lambda c: True)
    if name == "macro_auroc":
        return mean_over_classes(oracle.roc_auc_score, scores, has_both)
    if name == "mean_average_precision":
        return mean_over_classes(oracle.average_precision_score, scores, np.any)
    assert name == "calibration_error"
    if task == "single-label":
        rows, best = np.arange(len(scores)), scores.argmax(axis=1)
        truth, scores = truth[rows, best][:, None], scores[rows, best][:, None]
    return lambda w: np.mean(
        [binned_error(*column, w) for column in zip(truth.T, scores.T, strict=True)]
    )


def weighted_balance(task, truth, predicted):
    """Balanced accuracy as a function of the records' weights; None: not defined."""
    if task == "single-label":
        labels, taken = truth.argmax(axis=1), predicted.argmax(axis=1)
        # It warns of classes that are claimed and never true.
        known = sorted(set(labels))
        return lambda w: oracle.recall_score(
            labels,
            taken,
            labels=known,
            average="macro",
            zero_division=0,
            sample_weight=w,
        )
    columns = [i for i in range(truth.shape[1]) if has_both(truth[:, i])]
    if not columns:
        return None
    return lambda w: np.mean(
        [
            oracle.balanced_accuracy_score(
                truth[:, i], predicted[:, i], sample_weight=w
            )
            for i in columns
        ]
    )


def weighted_brier(task, truth, scores):
    """The Brier score as a function of the records' weights."""
    if task == "single-label":
        labels = truth.argmax(axis=1)
        names = range(truth.shape[1])
        return lambda w: oracle.brier_score_loss(
            labels, scores, labels=names, sample_weight=w, scale_by_half=False
        )
    return lambda w: np.mean(
        [
            oracle.brier_score_loss(truth[:, i], scores[:, i], sample_weight=w)
            for i in range(truth.shape[1])
        ]
    )


@given(predictions())
@settings(max_examples=40, deadline=None)
def test_balance_and_brier_score_are_those_of_scikit_learn(case):
    task, scores, labels = case
    truth, predicted = decisions(scores, labels, task)
    cases = [(brier_score(truth, scores, task), weighted_brier(task, truth, scores))]
    balance = weighted_balance(task, truth, predicted)
    found = balanced_accuracy(truth, predicted, task)
    assert (found is None) == (balance is None)
    if found:
        cases.append((found, balance))
    for figure, of in cases:
        assert figure.value == pytest.approx(of(np.ones(len(scores))), abs=1e-12)
        for record in (0, len(scores) // 2):
            step = STEP * (np.arange(len(scores)) == record)
            slope = (of(1 + step) - of(1 - step)) / (2 * STEP)
            assert figure.influence[record] == pytest.approx(slope, abs=1e-8)
        assert figure.influence.sum() == pytest.approx(0, abs=1e-9)


def test_balance_of_records_without_a_class_is_that_of_the_others():
    truth = np.eye(3, dtype=bool)[[0, 0, 0, 0, 1, 1]]
    taken = np.eye(3, dtype=bool)[[0, 0, 0, 2, 1, 0]]
    found = balanced_accuracy(truth, taken, "single-label")
    assert found.value == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_balance_isnt_defined_where_no_class_has_both_answers():
    truth = np.ones((4, 2), dtype=bool)
    assert balanced_accuracy(truth, truth, "multi-label") is None


def binned_error(truth, scores, weights):
    bins = np.searchsorted(np.linspace(0, 1, 16)[1:-1], scores)
    apart = [
        abs((weights * (scores - truth))[bins == b].sum()) for b in np.unique(bins)
    ]
    return sum(apart) / weights.sum()


@given(predictions())
@settings(max_examples=40, deadline=None)
def test_values_and_slopes_are_those_of_scikit_learn(case):
    task, scores, labels = case
    truth, predicted = decisions(scores, labels, task)
    figures = {"macro_f1": swayed_macro_f1(truth, predicted)}
    figures |= decision_figures(truth, predicted, task)
    figures |= probability_figures(truth, scores, task)
    whole = evaluate_probabilities(scores, labels, "ABC", task)
    for name, found in figures.items():
        assert found.value == pytest.approx(whole[name], abs=1e-12)
        of = weighted(name, task, truth, predicted, scores)
        for record in (0, len(scores) // 2):
            step = STEP * (np.arange(len(scores)) == record)
            slope = (of(1 + step) - of(1 - step)) / (2 * STEP)
            assert found.influence[record] == pytest.approx(slope, abs=1e-8), name
        assert found.influence.sum() == pytest.approx(0, abs=1e-9)
    known = {name for name, value in whole.items() if isinstance(value, float)}
    assert set(figures) == known - {"log_loss"}


def test_records_of_a_bin_that_is_right_sway_its_error_alike():
    # Nine of ten at 0.9: their differences cancel out, but for rounding.
    truth, scores = np.ones((10, 1), dtype=bool), np.full((10, 1), 0.9)
    truth[3] = False
    found = probability_figures(truth, scores, "multi-label")["calibration_error"]
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.influence == pytest.approx(np.zeros(10), abs=1e-12)


def test_f1_of_a_class_nobody_names_stays_0_whatever_the_records():
    truth, predicted = np.zeros((2, 5, 2), dtype=bool)
    truth[:3, 0] = predicted[1:4, 0] = True
    named, unnamed = class_f1(truth, predicted)
    assert named.value == pytest.approx(2 / 3)
    assert unnamed.value == 0
    assert not unnamed.influence.any()


def test_the_variance_of_a_share_is_the_textbooks():
    right = np.arange(40) % 4 > 0
    truth = np.stack([right, ~right], axis=1)
    claimed = np.tile([True, False], (40, 1))
    share = decision_figures(truth, claimed, "single-label")["accuracy"]
    assert share.value == 0.75
    assert share.influence @ share.influence == pytest.approx(0.75 * 0.25 / 40)


def test_the_covariance_of_areas_is_delongs():
    random = np.random.default_rng(0)
    truth = random.random(90) < 0.4
    scores = truth + random.normal(0, 1, (2, 90)) + random.normal(0, 1, 90)
    scores = np.round(scores, 1)
    found = [
        probability_figures(truth[:, None], one[:, None], "multi-label")["macro_auroc"]
        for one in scores
    ]
    influence = np.stack([one.influence for one in found])
    # DeLong et al. (1988): structural components of both kinds of records.
    pairs = scores[:, truth, None] - scores[:, None, ~truth]
    wins = (pairs > 0) + 0.5 * (pairs == 0)
    m, n = truth.sum(), (~truth).sum()
    of_positives = np.cov(wins.mean(axis=2), ddof=0) / m
    of_negatives = np.cov(wins.mean(axis=1), ddof=0) / n
    np.testing.assert_allclose(influence @ influence.T, of_positives + of_negatives)


def test_what_many_draws_of_patients_come_to():
    random = np.random.default_rng(1)
    owners = np.repeat(np.arange(300), random.choice([1, 2, 3], 300))
    patients = np.array([f"p{i:03d}" for i in owners])
    truth = np.stack([random.random(300) < 0.3 for _ in range(2)], axis=1)[owners]
    chance = random.normal(0, 1, (300, 2))[owners] + random.normal(0, 1, truth.shape)
    scores = 1 / (1 + np.exp(-(2 * truth + chance - 1)))
    figures = probability_figures(truth, scores, "multi-label")
    place = np.searchsorted(np.unique(patients), patients)
    draws = PatientDraws(patients, 1000)
    weights = np.concatenate(list(draws))[:, place]
    for name in ("macro_auroc", "mean_average_precision"):
        of = weighted(name, "multi-label", truth, truth, scores)
        drawn = np.array([[of(row) for row in weights]])
        swayed = np.bincount(place, figures[name].influence)
        one = Scores.of_influence(np.zeros(1), swayed[None])
        many = Scores.of_draws(np.zeros(1), drawn)
        assert one.covariance[0, 0] == pytest.approx(many.covariance[0, 0], rel=0.15)
