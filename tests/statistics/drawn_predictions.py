"""Decisions of made-up networks on made-up patients."""

import numpy as np

from harness.statistics import Decisions, PatientDraws, Scores, resampled_macro_f1

CLASSES = 4
SHARES = (0.45, 0.25, 0.2, 0.1)


class Population:
    """Test patients with one or two records, some of them harder than others."""

    def __init__(self, random, patients=80, first=0):
        owner = np.repeat(np.arange(patients), random.choice([1, 2], patients))
        self.random = random
        self.owner = owner
        self.records = np.array([f"r{first + i:06d}" for i in range(len(owner))])
        self.patients = np.array([f"p{first + i:06d}" for i in owner])
        self.labels = random.choice(CLASSES, patients, p=SHARES)[owner]
        self.ease = random.normal(0.8, 1.0, patients)[owner]

    def effect(self, spread):
        """How much better or worse an arm is at each patient."""
        return self.random.normal(0, spread, self.owner.max() + 1)[self.owner]

    def decide(self, gain=0.0, noise=1.0):
        """The decisions of one training."""
        chance = self.random.normal(0, noise, len(self.owner))
        other = self.random.choice(CLASSES, len(self.owner), p=SHARES)
        claimed = np.where(self.ease + gain + chance > 0, self.labels, other)
        return self.judged(claimed)

    def judged(self, claimed):
        classes = np.arange(CLASSES)
        return Decisions(
            self.records,
            self.patients,
            self.labels[:, None] == classes,
            claimed[:, None] == classes,
        )


def arms_of(*arms, draws):
    """The scores of some arms, each a list of decisions, replicate by replicate."""
    every = [one for arm in arms for one in arm]
    patients = PatientDraws((p for one in every for p in one.patients.tolist()), draws)
    scores = Scores.of_draws(*resampled_macro_f1(every, patients))
    ends = np.cumsum([len(arm) for arm in arms])
    return [
        scores.arm(range(end - len(arm), end))
        for arm, end in zip(arms, ends, strict=True)
    ]
