"""Completing the cells that plugins name: what they leave open is looked up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import Catalog, Kind
from harness.catalog.parameters import resolve_parameters
from harness.cell import Cell, PluginChoice
from harness.errors import ConfigError
from harness.plan.required_labels import labels_beside
from harness.suite.compose import conflicts


@dataclass(frozen=True)
class Completion:
    """Makes whole cells of those that a strategy names.

    Attributes
    ----------
    fingerprint_of
        Of the records of a cell whose data options are others than the suite's.
    """

    catalog: Catalog
    fingerprint_of: Callable[[Cell], str]

    def completed(self, cell: Cell, dependent: Cell, where: str) -> Cell:
        """The cell with its plugins looked up, as the suite would have it."""
        strategies = tuple(self._found("strategy", c, where) for c in cell.strategies)
        declared = [self.catalog.get("strategy", c.name) for c in strategies]
        problems = conflicts(declared)
        if not strategies:
            problems = ["names no strategy"]
        if problems:
            raise ConfigError(problems, where)
        model = None
        if cell.model:
            of_model = f"{where}: model {cell.model.name!r}"
            model = self._found("model", cell.model, of_model)
        if not all(d.attributes["uses_model"] for d in declared):
            model = None
        elif model is None:
            raise ConfigError(f"{cell.strategy_name!r} needs with_model(...)", where)
        found = cell.replace(
            strategies=strategies,
            model=model,
            given={
                r: self.completed(c, dependent, where) for r, c in cell.given.items()
            },
            requires={},
            suite_folder=dependent.suite_folder,
            processes=dependent.processes if model else 1,
        )
        found = found.replace(labels=labels_beside(found, dependent))
        return self._with_data(found, dependent, where)

    def _found(self, kind: Kind, choice: PluginChoice, where: str) -> PluginChoice:
        if choice.is_found:
            return choice
        try:
            declaration = self.catalog.get(kind, choice.name)
        except ConfigError as error:
            raise ConfigError(error.problems, where) from None
        return resolve_parameters(declaration, choice.params, where)

    def _with_data(self, cell: Cell, dependent: Cell, where: str) -> Cell:
        """The cell with the fingerprint of its own records."""
        if cell.dataset != dependent.dataset:
            raise ConfigError("it must be of the same data set", where)
        if cell.options.split != dependent.options.split:
            raise ConfigError(
                "it must be split as the cell itself: on another split, its training "
                "records may be among the cell's test records",
                where,
            )
        try:
            same = cell.options == dependent.options
            found = dependent.fingerprint if same else self.fingerprint_of(cell)
        except ConfigError as error:
            raise ConfigError(error.problems, f"{where}: {error.where}") from None
        return cell.replace(
            fingerprint=found,
            split_hash=dependent.split_hash,
        )


def origin(choice: PluginChoice) -> str:
    """The strategy and its file, for messages."""
    path = Path(choice.locator)
    file = path.parent.name if path.name == "__init__.py" else path.name
    return f"strategy {choice.name!r} ({file})"
