"""From a cell's words to its data set, record index and splits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog import load_plugin_class
from harness.cell import Cell, PluginChoice
from harness.data.prepare import Prepared, prepare
from harness.data.record_index import RecordIndex, index_records
from harness.data.roots import dataset_root
from harness.errors import DataError
from harness.options import DataOptions
from harness.plugin import Dataset

if TYPE_CHECKING:
    from harness.data.splits_loaded import DataSplits


@dataclass(frozen=True)
class OpenData:
    """A data set whose records are known, and the options that it is used with."""

    dataset: Dataset
    options: DataOptions
    index: RecordIndex

    def prepare(
        self, workers: int = 1, progress: Callable[[int, int], None] | None = None
    ) -> Prepared:
        """The prepared file; made if it isn't there."""
        return prepare(
            self.dataset, self.index, self.options, workers=workers, progress=progress
        )

    def load(
        self,
        prepared: Prepared,
        memory_budget_bytes: int,
        views: Sequence[tuple[str, ...]] = (),
    ) -> DataSplits:
        """The three splits; training and validation seen through other leads, too."""
        # It imports torch, which who only lists or prepares records can do without.
        from harness.data.splits_loaded import load

        return load(
            prepared,
            self.index,
            self.dataset,
            self.options,
            memory_budget_bytes=memory_budget_bytes,
            views={leads: self.through(leads).prepare() for leads in views},
        )

    def through(self, leads: Sequence[str]) -> OpenData:
        """The same records with other leads."""
        options = self.options.model_copy(update={"leads": list(leads)})
        return replace(self, options=options)


def open_data(
    choice: PluginChoice, options: DataOptions, suite_folder: str
) -> OpenData:
    """Make the data set and list its records.

    Raises
    ------
    DataError
        If the recordings aren't there, or their index is malformed.
    """
    folder = Path(suite_folder) if suite_folder else None
    cls: type[Any] = load_plugin_class(choice.locator, choice.class_name)
    params = instantiate(choice).params
    root = dataset_root(cls(params), options, folder)
    dataset: Dataset = cls(params, root)
    return OpenData(dataset, options, index_records(dataset, options, folder))


def open_cell_data(cell: Cell) -> OpenData:
    """As `open_data`, and sure that the data is what the cell's id was made from.

    Raises
    ------
    DataError
        If records changed after the suite was planned.
    """
    data = open_data(cell.dataset, cell.options, cell.suite_folder)
    if data.index.fingerprint != cell.fingerprint:
        raise DataError(
            f"the records of {cell.dataset.name!r} changed while the suite ran "
            f"({cell.fingerprint} -> {data.index.fingerprint}); run it again"
        )
    return data


def instantiate(choice: PluginChoice) -> Any:
    """The plugin with its parameters."""
    cls: Any = load_plugin_class(choice.locator, choice.class_name)
    return cls(cls.Params.model_validate_json(json.dumps(dict(choice.params))))


def leads_beside(cell: Cell, dataset: Dataset) -> list[tuple[str, ...]]:
    """The leads on which required cells see a cell's records, where these aren't its
    own and nothing else about the data differs.
    """
    own = tuple(cell.options.leads or dataset.leads)
    found = []
    for required in cell.requires.values():
        leads = tuple(required.options.leads or dataset.leads)
        if seen_alike(cell, required) and leads != own and leads not in found:
            found.append(leads)
    return found


def seen_alike(cell: Cell, required: Cell) -> bool:
    """Whether two cells see the same stretch of the same records, through whatever
    leads.
    """
    same = required.options.model_copy(update={"leads": cell.options.leads})
    return required.dataset == cell.dataset and same == cell.options
