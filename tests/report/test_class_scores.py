"""Scores of a row class by class, over its seeds, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from taught_rows import CLASSES, predictions

from harness.metrics.metrics import evaluate_probabilities
from harness.report.board.class_scores import class_scores, confusion_counts
from harness.report.read import read_suite


@pytest.fixture
def arrays():
    return [predictions(0.6, np.random.default_rng(seed)) for seed in range(2)]


def results(runs):
    return [c.result for c in read_suite(runs.suite(), "demo").cells]


def add(runs, arrays, seed):
    found = evaluate_probabilities(
        arrays["test_probabilities"], arrays["test_labels"], CLASSES, "single-label"
    )
    runs.done("baseline", seed, changes={"metrics.test": found})


def test_they_are_those_of_scikit_learn(runs, arrays):
    for seed, one in enumerate(arrays):
        add(runs, one, seed)
    found = results(runs)
    pairs = [
        (one["test_labels"], one["test_probabilities"].argmax(axis=1)) for one in arrays
    ]
    expected = np.array(
        [
            precision_recall_fscore_support(*pair, labels=range(5), zero_division=0)
            for pair in pairs
        ]
    )
    precision, recall, f1, _ = expected.mean(axis=0)
    scores = class_scores(found)
    assert [one.name for one in scores] == list(CLASSES)
    for key, values in zip(
        ("precision", "recall", "f1"), (precision, recall, f1), strict=True
    ):
        assert [getattr(one, key).mean for one in scores] == pytest.approx(
            values, abs=1e-12
        )
    support = np.bincount(pairs[0][0], minlength=5)
    assert [one.support for one in scores] == support.tolist()
    total = sum(confusion_matrix(*pair, labels=range(5)) for pair in pairs)
    assert confusion_counts(found) == total.tolist()


def test_support_that_differs_between_seeds_is_not_said(runs, arrays):
    other = predictions(0.6, np.random.default_rng(0), split=1)
    add(runs, arrays[0], 0)
    add(runs, other, 1)
    assert None in {one.support for one in class_scores(results(runs))}


def test_results_without_them_have_none(runs):
    runs.done("baseline")
    assert class_scores(results(runs)) == []
    assert confusion_counts(results(runs)) is None
    assert class_scores([]) == []


@pytest.mark.parametrize("counts", [[[1]], [[1, 2]] * 5, [[1] * 5] * 4, []])
def test_counts_that_do_not_fit_the_classes_are_left_out(runs, counts):
    runs.done("baseline", changes={"metrics.test.confusion": counts})
    assert confusion_counts(results(runs)) is None


def test_a_class_that_one_seed_lacks_counts_where_it_is(runs):
    names = ["NORM", "MI", "STTC", "CD", "HYP"]
    runs.done("baseline", 0, changes={"metrics.test.f1": dict.fromkeys(names, 0.5)})
    runs.done("baseline", 1, changes={"metrics.test.f1": {"NORM": 0.7}})
    scores = {one.name: one for one in class_scores(results(runs))}
    assert scores["NORM"].f1.n == 2
    assert scores["MI"].f1.n == 1
    assert scores["MI"].precision is scores["MI"].recall is None
