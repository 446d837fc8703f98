"""Where a data set's class comes from, so that another process can make it too."""

from __future__ import annotations

import importlib.machinery
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import load_plugin_class
from harness.plugin import Dataset


def plugin_locator(dataset_class: type[Dataset]) -> str:
    """What `load_plugin_class` and `source_hash` take to find the class again."""
    top = dataset_class.__module__.partition(".")[0]
    # A drop-in file or folder is imported under a name that no finder knows.
    if importlib.machinery.PathFinder.find_spec(top) is None:
        return str(sys.modules[top].__file__)
    return f"module:{dataset_class.__module__}"


@dataclass(frozen=True)
class DatasetSource:
    """How another process makes the same data set; plain values that travel."""

    locator: str
    class_name: str
    params: str
    root: Path

    @classmethod
    def of(cls, dataset: Dataset) -> DatasetSource:
        """The source of `dataset`."""
        params = dataset.params.model_dump_json()
        name = type(dataset).__name__
        return cls(plugin_locator(type(dataset)), name, params, dataset.root)

    def load(self) -> Dataset:
        """Import the plugin and make the data set."""
        found = load_plugin_class(self.locator, self.class_name)
        assert issubclass(found, Dataset)
        return found(found.Params.model_validate_json(self.params), self.root)
