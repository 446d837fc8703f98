"""What a suite may say about data, budget and execution, with every default.

These models are the single source of `harness schema`, of validation and of the
part of a cell's identity that is no plugin's.
"""

from harness.options.budget import (
    SGD,
    Adam,
    AdamW,
    Augmentation,
    Budget,
    Constant,
    Cosine,
    CutMix,
    EarlyStopping,
    Mixup,
    OneCycle,
    Optimizer,
    Plateau,
    RandomCrop,
    Schedule,
    Step,
)
from harness.options.data import Chunks, DataOptions, Filter, Fraction, Normalise, Split
from harness.options.dropping import Dropping
from harness.options.execution import Execution, Slurm
from harness.options.gate import Gate

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Augmentation",
    "Budget",
    "Chunks",
    "Constant",
    "Cosine",
    "CutMix",
    "DataOptions",
    "Dropping",
    "EarlyStopping",
    "Execution",
    "Filter",
    "Fraction",
    "Gate",
    "Mixup",
    "Normalise",
    "OneCycle",
    "Optimizer",
    "Plateau",
    "RandomCrop",
    "Schedule",
    "Slurm",
    "Split",
    "Step",
]
