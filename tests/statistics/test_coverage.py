"""Whether 95 % intervals hold what they should in 95 % of simulated studies.

Short by default; `make simulations` runs enough studies to tell 95 from 93 and 97 %.
"""

import os
from dataclasses import dataclass

import numpy as np
import pytest
from drawn_predictions import Population, arms_of

from harness.statistics import estimate, estimate_apart

STUDIES = int(os.environ.get("HARNESS_TEST_SIMULATIONS", "0"))
SHORT = 100
LEAST, MOST, FALSE = (0.93, 0.97, 0.05) if STUDIES else (0.89, 1.0, 0.09)
DRAWS = 300


@dataclass(frozen=True)
class Study:
    """Patients with one or two records, in four classes of which one is rare.

    Attributes
    ----------
    of_training, of_patients
        How much a training, and an arm at each patient, is better or worse: standard
        deviations.
    noise
        Of single answers.
    seeds
        Trainings on each split, if each replicate is a split; None: all replicates are
        tested on the same patients.
    of_split
        How much trainings on a split are better or worse together.
    """

    replicates: int
    patients: int
    of_training: float
    of_patients: float
    noise: float
    seeds: int | None = None
    of_split: float = 0.0

    @property
    def blocks(self):
        """The split of each training."""
        each = self.seeds or 1
        return [str(i // each) for i in range(self.replicates * each)]

    def arms(self, random):
        """The decisions of two strategies, and of the first one with other seeds."""
        splits = self.replicates if self.seeds else 1
        sets = [
            Population(random, self.patients, first=10_000 * i) for i in range(splits)
        ]
        liked = [[people.effect(self.of_patients) for people in sets] for _ in range(2)]
        return [self._arm(random, sets, arm) for arm in (*liked, liked[0])]

    def _arm(self, random, sets, liked):
        each = self.seeds or self.replicates
        return [
            people.decide(
                likes + split + random.normal(0, self.of_training), self.noise
            )
            for people, likes in zip(sets, liked, strict=True)
            for split in [random.normal(0, self.of_split)]
            for _ in range(each)
        ]

    def worth(self):
        """The macro-F1 of all trainings on all patients."""
        random = np.random.default_rng(99)
        found = []
        for _ in range(25):
            people = Population(random, 20_000)
            gain = people.effect(self.of_patients) + random.normal(0, self.of_training)
            gain += random.normal(0, self.of_split)
            decided = people.decide(gain, self.noise)
            hits = (decided.truth & decided.predicted).sum(axis=0)
            named = decided.truth.sum(axis=0) + decided.predicted.sum(axis=0)
            found.append((2 * hits / named).mean())
        return np.mean(found)


STUDY = {
    "200 patients, 3 seeds": Study(3, 200, 0.1, 0.4, 0.7),
    "200 patients, 5 seeds": Study(5, 200, 0.1, 0.4, 0.7),
    "80 patients, 5 seeds": Study(5, 80, 0.15, 0.4, 0.7),
    "trainings differ most": Study(3, 300, 0.4, 0.0, 0.3),
    "patients differ most": Study(3, 300, 0.02, 1.0, 0.1),
    "a split for each seed": Study(4, 100, 0.1, 0.5, 0.7, seeds=1),
    "three seeds on each split": Study(3, 150, 0.1, 0.3, 0.7, seeds=3, of_split=0.15),
}
LARGE = {
    "a fold of PTB-XL, 3 seeds": Study(3, 1900, 0.05, 0.4, 0.7),
    "a fold of PTB-XL, 5 seeds": Study(5, 1900, 0.05, 0.4, 0.7),
    "a tenth of CinC 2017, 5 seeds": Study(5, 850, 0.1, 0.3, 0.7),
}


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", STUDY | LARGE if STUDIES else STUDY)
def test_intervals_hold_what_they_should(name):
    study = (STUDY | LARGE)[name]
    random = np.random.default_rng(7)
    worth = study.worth()
    held, zero, paired, apart = [], [], [], []
    for _ in range(STUDIES or SHORT):
        found = arms_of(*study.arms(random), draws=DRAWS)
        one, other, again = (arm.averaged(study.blocks) for arm in found)
        own = estimate(one)
        held.append(abs(own.mean - worth) <= own.reach)
        zero.append(not estimate(one.minus(other)).is_measurable)
        paired.append(estimate(one.minus(again)).is_measurable)
        apart.append(estimate_apart(one, again).is_measurable)
    shares = [float(np.mean(found)) for found in (held, zero, paired, apart)]
    # Of three or four trainings intervals are a little wider than they must be.
    most = MOST if study.replicates >= 5 else MOST + 0.01
    assert LEAST <= shares[0] <= most, shares
    assert LEAST <= shares[1] <= most, shares
    assert max(shares[2:]) <= FALSE, shares
