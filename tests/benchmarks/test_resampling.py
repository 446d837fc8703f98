"""How long resampled patients take, on a fold as large as PTB-XL's test fold."""

import numpy as np

from harness.statistics import (
    Decisions,
    PatientDraws,
    Scores,
    estimate,
    resampled_macro_f1,
)

RECORDS, PATIENTS, CLASSES = 2198, 1900, 5


def test_ten_thousand_draws_of_two_arms_of_three_seeds(benchmark):
    random = np.random.default_rng(0)
    ids = np.array([f"{i:05d}" for i in range(RECORDS)])
    owners = np.array([f"{i % PATIENTS:05d}" for i in range(RECORDS)])
    labels = random.integers(0, CLASSES, RECORDS)

    def decisions():
        right = random.random(RECORDS) < 0.7
        claimed = np.where(right, labels, random.integers(0, CLASSES, RECORDS))
        columns = np.arange(CLASSES)
        return Decisions(
            ids, owners, labels[:, None] == columns, claimed[:, None] == columns
        )

    cells = [decisions() for _ in range(6)]

    def difference():
        draws = PatientDraws(owners.tolist(), 10_000)
        scores = Scores.of_draws(*resampled_macro_f1(cells, draws))
        ours, theirs = (scores.arm(range(i, i + 3)) for i in (0, 3))
        return estimate(ours.minus(theirs))

    found = benchmark(difference)
    assert 0 < found.reach < 0.1
