"""How sure a figure on the leaderboard is: resampled patients, paired replicates."""

from harness.statistics.estimate import (
    ArmScores,
    Estimate,
    estimate,
    estimate_apart,
    share_of_gap_closed,
)
from harness.statistics.macro_f1 import Decisions, resampled_macro_f1
from harness.statistics.patient_draws import DRAWS, PatientDraws

__all__ = [
    "DRAWS",
    "ArmScores",
    "Decisions",
    "Estimate",
    "PatientDraws",
    "estimate",
    "estimate_apart",
    "resampled_macro_f1",
    "share_of_gap_closed",
]
