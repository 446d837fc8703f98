"""`harness` measures what a training strategy for ECG classifiers really buys.

This module holds the names that a plugin author imports, and nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import Field

    from harness.cell import Cell
    from harness.data.batch import Batch
    from harness.data.order import generator
    from harness.data.wfdb import read_wfdb
    from harness.errors import CellError, ConfigError, DataError, PluginError
    from harness.hooks import hookimpl
    from harness.options import Dropping
    from harness.plan.controls import equal_budget, random_instead
    from harness.plugin import Dataset, Model, Parameters, Preset, Strategy, Tracker
    from harness.tracking.events import (
        CellOutcome,
        TrackedCell,
        TrackedEpoch,
        TrackedSuite,
    )
    from harness.training.outputs import EpochReport, Outputs, Scores
    from harness.training.phased_dropping import PhasedDropping
    from harness.training.run import Run

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Cell",
    "CellError",
    "CellOutcome",
    "ConfigError",
    "DataError",
    "Dataset",
    "Dropping",
    "EpochReport",
    "Field",
    "Model",
    "Outputs",
    "Parameters",
    "PhasedDropping",
    "PluginError",
    "Preset",
    "Run",
    "Scores",
    "Strategy",
    "TrackedCell",
    "TrackedEpoch",
    "TrackedSuite",
    "Tracker",
    "equal_budget",
    "generator",
    "hookimpl",
    "random_instead",
    "read_wfdb",
]

# Each name is imported when first asked for: the command line needs none of them, and
# a plugin that is only listed needs neither torch nor pandas.
_HOMES = {
    "Batch": "harness.data.batch",
    "Cell": "harness.cell",
    "CellError": "harness.errors",
    "CellOutcome": "harness.tracking.events",
    "ConfigError": "harness.errors",
    "DataError": "harness.errors",
    "Dataset": "harness.plugin",
    "Dropping": "harness.options",
    "EpochReport": "harness.training.outputs",
    "Field": "pydantic",
    "Model": "harness.plugin",
    "Outputs": "harness.training.outputs",
    "Parameters": "harness.plugin",
    "PhasedDropping": "harness.training.phased_dropping",
    "PluginError": "harness.errors",
    "Preset": "harness.plugin",
    "Run": "harness.training.run",
    "Scores": "harness.training.outputs",
    "Strategy": "harness.plugin",
    "TrackedCell": "harness.tracking.events",
    "TrackedEpoch": "harness.tracking.events",
    "TrackedSuite": "harness.tracking.events",
    "Tracker": "harness.plugin",
    "equal_budget": "harness.plan.controls",
    "generator": "harness.data.order",
    "hookimpl": "harness.hooks",
    "random_instead": "harness.plan.controls",
    "read_wfdb": "harness.data.wfdb",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
