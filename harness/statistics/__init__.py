"""How sure a figure on the leaderboard is: resampled patients, paired replicates."""

from harness.statistics.bootstrap import PatientDraws, draws_for
from harness.statistics.estimate import (
    Estimate,
    estimate,
    estimate_apart,
    share_of_gap_closed,
)
from harness.statistics.influence import (
    Swayed,
    balanced_accuracy,
    brier_score,
    class_f1,
    decision_figures,
    probability_figures,
    swayed_macro_f1,
)
from harness.statistics.macro_f1 import Decisions, resampled_macro_f1
from harness.statistics.scores import Arm, Scores

__all__ = [
    "Arm",
    "Decisions",
    "Estimate",
    "PatientDraws",
    "Scores",
    "Swayed",
    "balanced_accuracy",
    "brier_score",
    "class_f1",
    "decision_figures",
    "draws_for",
    "estimate",
    "estimate_apart",
    "probability_figures",
    "resampled_macro_f1",
    "share_of_gap_closed",
    "swayed_macro_f1",
]
