"""Draws of patients, and macro-F1 in each of them, against slower ways."""

import numpy as np
import pytest
from drawn_predictions import CLASSES, Population
from sklearn.metrics import f1_score

from harness.metrics.metrics import evaluate_probabilities
from harness.statistics import Decisions, PatientDraws, resampled_macro_f1


def weights_of(draws):
    return np.concatenate(list(draws))


def of_records(one, draws):
    """The weight of each record in each draw."""
    return weights_of(draws)[:, np.searchsorted(draws.patients, one.patients)]


def test_each_draw_holds_as_many_patients_as_there_are():
    draws = PatientDraws(["b", "a", "c", "a"], 1200)
    weights = weights_of(draws)
    assert draws.patients.tolist() == ["a", "b", "c"]
    assert weights.shape == (1200, 3)
    assert (weights.sum(axis=1) == 3).all()
    # By hand: of 3 drawn from 3, a patient is left out with (2/3)^3 = 0.296.
    assert (weights == 0).mean() == pytest.approx(8 / 27, abs=0.03)


def test_draws_follow_from_the_patients_alone():
    np.random.seed(1)  # noqa: NPY002
    first = weights_of(PatientDraws(["b", "a", "c"], 50))
    np.random.seed(2)  # noqa: NPY002
    draws = PatientDraws(iter("cab"), 50)
    assert (weights_of(draws) == first).all()
    assert (weights_of(draws) == first).all()
    assert not (weights_of(PatientDraws("abd", 50)) == first).all()


def test_weighted_scores_are_scikit_learns():
    people = Population(np.random.default_rng(0))
    cells = [people.decide(gain) for gain in (0.0, 1.0)]
    draws = PatientDraws(people.patients.tolist(), 600)
    plain, drawn = resampled_macro_f1(cells, draws)
    for one, score, scores in zip(cells, plain, drawn, strict=True):
        predicted = one.predicted.argmax(axis=1)

        def oracle(weights, predicted=predicted):
            return f1_score(
                people.labels,
                predicted,
                labels=range(CLASSES),
                average="macro",
                sample_weight=weights,
                zero_division=0,
            )

        assert score == pytest.approx(oracle(None), abs=1e-12)
        rows = of_records(one, draws)
        for at in (0, 1, 299, 500, 599):
            assert scores[at] == pytest.approx(oracle(rows[at]), abs=1e-12)


def test_multi_label_scores_are_scikit_learns():
    random = np.random.default_rng(3)
    truth, predicted = random.random((2, 90, 3)) < 0.3
    predicted[:, 2] = truth[:, 2] = False
    ids = np.array([f"{i:03d}" for i in range(90)])
    owners = np.array([f"{i // 2:02d}" for i in range(90)])
    one = Decisions(ids, owners, truth, predicted)
    draws = PatientDraws(owners.tolist(), 40)
    plain, drawn = resampled_macro_f1([one], draws)
    shown = {"average": "macro", "zero_division": 0}
    assert plain[0] == pytest.approx(f1_score(truth, predicted, **shown), abs=1e-12)
    for weights, score in zip(of_records(one, draws), drawn[0], strict=True):
        oracle = f1_score(truth, predicted, sample_weight=weights, **shown)
        assert score == pytest.approx(oracle, abs=1e-12)


def test_a_draw_is_the_score_of_the_records_drawn():
    people = Population(np.random.default_rng(4), 20)
    one = people.decide()
    draws = PatientDraws(people.patients.tolist(), 100)
    _, drawn = resampled_macro_f1([one], draws)
    for weights, score in zip(of_records(one, draws), drawn[0], strict=True):
        rows = np.repeat(np.arange(len(weights)), weights.astype(int))
        found = evaluate_probabilities(
            one.predicted[rows].astype(float),
            people.labels[rows],
            list("abcd"),
            "single-label",
        )
        assert score == pytest.approx(found["macro_f1"], abs=1e-12)


def test_a_patient_weighs_the_same_in_every_test_set_and_in_any_order():
    people = Population(np.random.default_rng(5), 30)
    whole = people.decide()
    half = np.random.default_rng(6).permutation(len(whole.records))[::2]
    part = Decisions(*(a[half] for a in vars(whole).values()))
    everyone = [*people.patients.tolist(), "stranger"]
    both = resampled_macro_f1([whole, part], PatientDraws(everyone, 30))[1]
    alone = resampled_macro_f1([part], PatientDraws(everyone, 30))[1]
    assert (both[1] == alone[0]).all()
    draws = PatientDraws(everyone, 30)
    for weights, score in zip(of_records(part, draws), both[1], strict=True):
        oracle = f1_score(
            part.truth.argmax(axis=1),
            part.predicted.argmax(axis=1),
            labels=range(CLASSES),
            average="macro",
            sample_weight=weights,
            zero_division=0,
        )
        assert score == pytest.approx(oracle, abs=1e-12)
