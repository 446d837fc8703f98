"""Which data set a command means: a plugin's own, or an entry of a suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog import Catalog
from harness.catalog.parameters import resolve_parameters
from harness.cell import PluginChoice
from harness.errors import ConfigError, did_you_mean
from harness.files.paths import expanded
from harness.options import DataOptions
from harness.suite.resolve import read_suite

if TYPE_CHECKING:
    from harness.data.dataset import OpenData


@dataclass(frozen=True)
class ChosenDataset:
    """A data set with its options, and the folder that relative paths start from."""

    label: str
    choice: PluginChoice
    options: DataOptions
    folder: str

    def open(self) -> OpenData:
        """List its records.

        Raises
        ------
        DataError, ConfigError
            If the recordings aren't there, or the options don't suit them.
        """
        from harness.data.dataset import open_data

        return open_data(self.choice, self.options, self.folder)


def datasets_of(suite: Path, plugins: Sequence[Path]) -> list[ChosenDataset]:
    """All data sets of a suite."""
    read, _ = read_suite(suite, plugins)
    folder = str(read.folder.resolve())
    return [ChosenDataset(e.label, e.choice, e.options, folder) for e in read.datasets]


def choose_from(
    suite: Path, name: str | None, plugins: Sequence[Path]
) -> ChosenDataset:
    """The data set of a suite with that label or name; its only one for None.

    Raises
    ------
    ConfigError
        If there is none, or more than one.
    """
    found = datasets_of(suite, plugins)
    labels = [d.label for d in found]
    if name is not None:
        by_label = [d for d in found if d.label == name]
        matching = by_label or [d for d in found if d.choice.name == name]
        if not matching:
            hint = did_you_mean(name, labels)
            raise ConfigError(f"no data set {name!r}; {hint}", str(suite))
        found = matching
    if len(found) > 1:
        several = ", ".join(repr(d.label) for d in found)
        raise ConfigError(
            f"it has several data sets: name one of {several}", str(suite)
        )
    return found[0]


def choose_dataset(
    name: str, suite: Path | None, root: str | None, plugins: Sequence[Path]
) -> ChosenDataset:
    """A data set as a suite describes it, or else with all defaults.

    Parameters
    ----------
    root
        Its folder, in place of what the suite or HARNESS_DATA says.
    """
    if suite is not None:
        chosen = choose_from(suite, name, plugins)
    else:
        declaration = Catalog.discover(plugins).get("dataset", name)
        choice = resolve_parameters(declaration, {}, f"dataset {name}")
        chosen = ChosenDataset(name, choice, DataOptions(), "")
    changes: dict[str, str] = {}
    if root is not None:
        # Typed at a prompt: relative to where one is, not to the suite.
        changes["root"] = str(expanded(root).resolve())
    options = chosen.options.model_copy(update=changes)
    return ChosenDataset(chosen.label, chosen.choice, options, chosen.folder)
