"""`harness` measures what a training strategy for ECG classifiers really buys.

This module holds the names that a plugin author imports, and nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pydantic import Field

from harness.errors import CellError, ConfigError, DataError, PluginError
from harness.hooks import hookimpl
from harness.options import Dropping
from harness.plugin import Dataset, Model, Parameters, Strategy

if TYPE_CHECKING:
    from harness.cell import Cell
    from harness.data.batch import Batch
    from harness.data.order import generator
    from harness.data.wfdb_reading import read_wfdb
    from harness.training.outputs import EpochReport, Outputs, Scores
    from harness.training.run import Run

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Cell",
    "CellError",
    "ConfigError",
    "DataError",
    "Dataset",
    "Dropping",
    "EpochReport",
    "Field",
    "Model",
    "Outputs",
    "Parameters",
    "PluginError",
    "Run",
    "Scores",
    "Strategy",
    "generator",
    "hookimpl",
    "read_wfdb",
]

# Names whose modules import torch, wfdb or pandas: loaded when first asked for, so
# that a plugin can be listed without them.
_LAZY = {
    "Batch": "harness.data.batch",
    "Cell": "harness.cell",
    "EpochReport": "harness.training.outputs",
    "Outputs": "harness.training.outputs",
    "Run": "harness.training.run",
    "Scores": "harness.training.outputs",
    "generator": "harness.data.order",
    "read_wfdb": "harness.data.wfdb_reading",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
