"""Every metric against scikit-learn's, ties and absent classes included."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from harness.errors import CellError, PluginError
from harness.metrics.metrics import evaluate_probabilities

NAMES = "ABCDE"


@st.composite
def single_label(draw):
    """Probabilities on a coarse grid, so that ties are common."""
    records, classes = draw(st.integers(1, 40)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = rng.integers(0, draw(st.sampled_from([2, 4, 1000])), (records, classes))
    scores = (weights + 1) / (weights + 1).sum(axis=1, keepdims=True)
    return scores, rng.integers(0, classes, records)


@st.composite
def multi_label(draw):
    records, classes = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    steps = draw(st.sampled_from([2, 10, 10_000]))
    scores = rng.integers(0, steps + 1, (records, classes)) / steps
    return scores, rng.integers(0, 2, (records, classes))


def check_auroc(found, truth, scores):
    areas = []
    for name, column, score in zip(NAMES, truth.T, scores.T, strict=False):
        if 0 < column.sum() < len(column):
            areas.append(oracle.roc_auc_score(column, score))
            assert found["auroc"][name] == pytest.approx(areas[-1], abs=1e-12)
        else:
            assert found["auroc"][name] is None
    assert found["auroc_classes"] == len(areas)
    mean = pytest.approx(np.mean(areas), abs=1e-12) if areas else None
    assert found["macro_auroc"] == mean


def check_average_precision(found, truth, scores):
    means = []
    for name, column, score in zip(NAMES, truth.T, scores.T, strict=False):
        if column.any():
            means.append(oracle.average_precision_score(column, score))
            assert found["average_precision"][name] == pytest.approx(means[-1])
        else:
            assert found["average_precision"][name] is None
    mean = pytest.approx(np.mean(means), abs=1e-12) if means else None
    assert found["mean_average_precision"] == mean


def expected_calibration_error(truth, scores, bins=15):
    true, predicted = calibration_curve(truth, scores, n_bins=bins)
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    counts = np.bincount(np.searchsorted(edges, scores), minlength=bins)
    return np.abs(true - predicted) @ counts[counts > 0] / len(scores)


def check_class_scores(found, truth, predicted, labels=None):
    for name in ("f1", "precision", "recall"):
        expected = getattr(oracle, f"{name}_score")(
            truth, predicted, labels=labels, average=None, zero_division=0
        )
        np.testing.assert_allclose(list(found[name].values()), expected, atol=1e-12)
    assert found["macro_f1"] == pytest.approx(np.mean(list(found["f1"].values())))


@given(single_label())
@settings(max_examples=60, deadline=None)
def test_single_label_metrics_are_those_of_scikit_learn(case):
    scores, labels = case
    classes = scores.shape[1]
    found = evaluate_probabilities(scores, labels, NAMES[:classes], "single-label")
    predicted, every = scores.argmax(axis=1), list(range(classes))
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(labels, predicted))
    check_class_scores(found, labels, predicted, every)
    truth = labels[:, None] == np.arange(classes)
    check_auroc(found, truth, scores)
    check_average_precision(found, truth, scores)
    error = expected_calibration_error(labels == predicted, scores.max(axis=1))
    assert found["calibration_error"] == pytest.approx(error, abs=1e-12)
    assert found["log_loss"] == pytest.approx(
        oracle.log_loss(labels, scores, labels=every)
    )
    expected = oracle.confusion_matrix(labels, predicted, labels=every)
    assert found["confusion"] == expected.tolist()
    assert list(found["support"].values()) == expected.sum(axis=1).tolist()
    json.dumps(found, allow_nan=False)


@given(multi_label())
@settings(max_examples=60, deadline=None)
def test_multi_label_metrics_are_those_of_scikit_learn(case):
    scores, labels = case
    classes = scores.shape[1]
    found = evaluate_probabilities(scores, labels, NAMES[:classes], "multi-label")
    predicted = (scores >= 0.5).astype(int)
    assert found["exact_match"] == pytest.approx(np.mean((predicted == labels).all(1)))
    assert found["label_accuracy"] == pytest.approx(np.mean(predicted == labels))
    if classes > 1:
        check_class_scores(found, labels, predicted)
    check_auroc(found, labels.astype(bool), scores)
    check_average_precision(found, labels, scores)
    columns = zip(labels.T, scores.T, strict=True)
    errors = [expected_calibration_error(*column) for column in columns]
    assert found["calibration_error"] == pytest.approx(np.mean(errors), abs=1e-12)
    losses = [
        oracle.log_loss(truth, score, labels=[0, 1])
        for truth, score in zip(labels.T, scores.T, strict=True)
    ]
    assert found["log_loss"] == pytest.approx(np.mean(losses))
    json.dumps(found, allow_nan=False)


def test_accuracy_is_named_for_what_it_is():
    scores = np.array([[0.9, 0.2], [0.9, 0.9]])
    single = evaluate_probabilities(scores, [0, 1], "AB", "single-label")
    assert (single["accuracy"], single["exact_match"]) == (0.5, None)
    multi = evaluate_probabilities(scores, [[1, 0], [0, 1]], "AB", "multi-label")
    assert multi["accuracy"] is None
    assert (multi["exact_match"], multi["label_accuracy"]) == (0.5, 0.75)


def test_a_class_that_is_never_seen_nor_predicted_counts_as_zero():
    found = evaluate_probabilities([[0.7, 0.2, 0.1]], [0], "ABC", "single-label")
    assert found["macro_f1"] == pytest.approx(1 / 3)
    assert found["macro_auroc"] is None
    assert found["auroc_classes"] == 0


def test_class_subsets_are_means_of_f1():
    scores = np.eye(4)[[0, 1, 2, 0]]
    subsets = {"f1_nao": ["N", "A", "O"]}
    found = evaluate_probabilities(
        scores, [0, 1, 2, 3], ["N", "A", "O", "~"], "single-label", subsets
    )
    assert found["class_subsets"] == {"f1_nao": pytest.approx((2 / 3 + 1 + 1) / 3)}
    with pytest.raises(PluginError, match=r"f1_nao.*'N'"):
        evaluate_probabilities(scores, [0, 1, 2, 3], "ABCD", "single-label", subsets)


def test_an_empty_split_has_no_accuracy():
    found = evaluate_probabilities(np.zeros((0, 2)), [], "AB", "single-label")
    assert found["accuracy"] is found["log_loss"] is found["macro_auroc"] is None
    assert found["confusion"] == [[0, 0], [0, 0]]
    json.dumps(found, allow_nan=False)


def test_a_certain_error_costs_the_resolution_of_the_numbers():
    for kind in (np.float32, np.float64):
        scores = np.array([[1, 0]], dtype=kind)
        found = evaluate_probabilities(scores, [1], "AB", "single-label")
        assert found["log_loss"] == pytest.approx(-np.log(np.finfo(kind).eps))


def test_probabilities_that_are_not_finite_are_refused():
    with pytest.raises(CellError, match="1 of 2 records"):
        evaluate_probabilities(
            [[0.5, 0.5], [np.nan, 0.1]], [0, 1], "AB", "single-label"
        )


@pytest.mark.parametrize(
    ("scores", "labels", "task"),
    [
        ([[0.5, 0.5]], [2], "single-label"),
        ([[0.5, 0.5]], [-1], "single-label"),
        ([[0.5, 0.5]], [0, 1], "single-label"),
        ([[0.5, 0.5]], [[0.3, 0.7]], "multi-label"),
        ([[0.5, 0.5]], [0], "multi-label"),
        ([[0.5, 0.2, 0.3]], [0], "single-label"),
    ],
)
def test_labels_that_do_not_fit_are_refused(scores, labels, task):
    with pytest.raises(ValueError, match=r"labels must be|don't fit"):
        evaluate_probabilities(scores, labels, "AB", task)


def test_metrics_import_nothing_heavy():
    code = (
        "import sys, harness.metrics.metrics\n"
        "heavy = {'torch', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
