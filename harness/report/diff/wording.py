"""How the figures of a comparison are called."""

from __future__ import annotations

SCORE_NAMES = {
    "macro_f1": "macro-F1",
    "macro_auroc": "macro AUROC",
    "accuracy": "accuracy",
}
COST_NAMES = {
    "effective_epochs": "effective epochs",
    "forward_epochs": "forward epochs",
    "training_flops": "training FLOPs",
    "peak_memory_bytes": "peak memory",
}
