"""Thresholds chosen by F1, against scikit-learn's precision-recall curve."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from harness.errors import CellError
from harness.metrics.metrics import evaluate_at_thresholds, evaluate_probabilities
from harness.metrics.thresholds import best_thresholds

NAMES = "ABCDE"


@st.composite
def multi_label(draw, fewest=1):
    """Probabilities, on a coarse grid where ties are wanted, and labels."""
    records, classes = draw(st.integers(fewest, 40)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    steps = draw(st.sampled_from([2, 10, 10_000]))
    scores = rng.integers(0, steps + 1, (records, classes)) / steps
    labels = rng.random((records, classes)) < draw(st.sampled_from([0.1, 0.5]))
    return scores, labels.astype(int)


def chosen(scores, labels):
    """The threshold of a single class."""
    columns = np.array(scores)[:, None], np.array(labels)[:, None]
    return best_thresholds(*columns, ["A"])["A"]


@given(multi_label())
@settings(max_examples=40, deadline=None)
def test_no_point_of_the_precision_recall_curve_has_a_better_f1(case):
    scores, labels = case
    names = NAMES[: scores.shape[1]]
    thresholds = best_thresholds(scores, labels, names)
    found = evaluate_at_thresholds(scores, labels, thresholds)
    for name, truth, score in zip(names, labels.T, scores.T, strict=True):
        if not truth.any():
            assert (thresholds[name], found["f1"][name]) == (0.5, 0)
            continue
        precision, recall, _ = oracle.precision_recall_curve(truth, score)
        total = np.maximum(precision + recall, 1e-12)
        best = (2 * precision * recall / total).max()
        assert found["f1"][name] == pytest.approx(best, abs=1e-12)


@given(multi_label())
@settings(max_examples=40, deadline=None)
def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken(case):
    scores, labels = case
    truth, score = labels[:, 0], scores[:, 0]
    if not truth.any():
        return
    threshold = chosen(score, truth)
    # The last claims no record: a second column, where there would be only one.
    tried = np.array([*{0.5, *score.tolist()}, 2.0])
    repeated = np.repeat(truth[:, None], len(tried), axis=1)
    f1 = oracle.f1_score(
        repeated, score[:, None] >= tried, average=None, zero_division=0
    )
    as_good = tried[f1 > f1.max() - 1e-12]
    assert threshold in as_good
    assert abs(threshold - 0.5) == np.abs(as_good - 0.5).min()


def test_of_two_that_are_as_near_the_lower_is_taken():
    scores = [0.75] * 2 + [0.5] * 4 + [0.25] * 2
    labels = [1, 1, 0, 0, 0, 0, 1, 1]
    low, middle, high = (
        oracle.f1_score(labels, np.array(scores) >= t) for t in (0.25, 0.5, 0.75)
    )
    assert low == high > middle
    assert chosen(scores, labels) == 0.25


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ([0.1, 0.2, 0.3], [0, 0, 0], 0.5),
        ([0.1, 0.9], [0, 1], 0.5),
        ([0.6, 0.7], [0, 1], 0.7),
        ([0.1, 0.3], [0, 1], 0.3),
        ([0.3, 0.3, 0.3], [0, 1, 0], 0.3),
        ([0.0, 0.0], [1, 0], 0.0),
    ],
)
def test_thresholds_that_follow_at_a_glance(scores, labels, expected):
    assert chosen(scores, labels) == expected


def test_a_threshold_is_one_of_the_numbers_that_a_network_gave():
    """So that no rounding of float32 moves a record to its other side."""
    scores = np.array([0.1, 0.3, 0.7], dtype=np.float32)
    assert chosen(scores, [0, 1, 1]) == float(scores[1])
    found = evaluate_at_thresholds(scores[:, None], [[0], [1], [1]], {"A": scores[1]})
    assert found["macro_f1"] == 1


@given(multi_label(fewest=2))
@settings(max_examples=20, deadline=None)
def test_figures_at_thresholds_are_those_of_scikit_learn(case):
    scores, labels = case
    names = NAMES[: scores.shape[1]]
    rng = np.random.default_rng(len(scores))
    thresholds = dict(zip(names, rng.random(len(names)).tolist(), strict=True))
    found = evaluate_at_thresholds(scores, labels, thresholds, {"first": ["A"]})
    decided = (scores >= list(thresholds.values())).astype(int)
    for name in ("f1", "precision", "recall"):
        scorer = getattr(oracle, f"{name}_score")
        columns = zip(labels.T, decided.T, strict=True)
        expected = [scorer(*column, zero_division=0) for column in columns]
        np.testing.assert_allclose(list(found[name].values()), expected, atol=1e-12)
    assert found["macro_f1"] == pytest.approx(np.mean(list(found["f1"].values())))
    assert found["exact_match"] == pytest.approx((decided == labels).all(1).mean())
    assert found["label_accuracy"] == pytest.approx((decided == labels).mean())
    assert found["class_subsets"] == {"first": found["f1"]["A"]}
    assert found["thresholds"] == thresholds
    json.dumps(found, allow_nan=False)


@given(multi_label())
@settings(max_examples=20, deadline=None)
def test_at_one_half_they_are_the_figures_that_rows_are_ranked_by(case):
    scores, labels = case
    names = NAMES[: scores.shape[1]]
    plain = evaluate_probabilities(scores, labels, names, "multi-label")
    found = evaluate_at_thresholds(scores, labels, dict.fromkeys(names, 0.5))
    assert {**plain, **found} == {**plain, "thresholds": dict.fromkeys(names, 0.5)}


def test_what_can_not_be_judged_is_refused():
    with pytest.raises(CellError, match="1 of 1 records"):
        evaluate_at_thresholds([[np.nan]], [[1]], {"A": 0.5})
    with pytest.raises(ValueError, match="don't fit 2 classes"):
        evaluate_at_thresholds([[0.5]], [[1]], {"A": 0.5, "B": 0.5})
