"""Which trackers a suite and a command name, with their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from harness.catalog import Catalog
from harness.catalog.parameters import resolve_parameters
from harness.cell import PluginChoice
from harness.errors import ConfigError
from harness.options.entries import take_preset


def tracker_of(catalog: Catalog, entry: Any, where: str) -> PluginChoice:
    """The tracker that an entry names: `"mlflow"`, or `{ use = "mlflow", ... }`.

    Raises
    ------
    ConfigError
        If there is none of that name, or it doesn't take its parameters.
    """
    table = {"use": entry} if isinstance(entry, str) else entry
    if not isinstance(table, dict) or not isinstance(table.get("use"), str):
        raise ConfigError(
            f'{where}: should be a name, or a table as {{ use = "..." }}, got {entry!r}'
        )
    where = f"{where} ({table['use']})"
    params = {key: value for key, value in table.items() if key != "use"}
    try:
        declaration = catalog.get("tracker", table["use"])
    except ConfigError as error:
        raise ConfigError([f"{where}: {p}" for p in error.problems]) from None
    params, _ = take_preset(declaration, params, where)
    return resolve_parameters(declaration, params, where, ("use", "preset"))


def trackers_of(
    catalog: Catalog, suite: Sequence[PluginChoice], names: Sequence[str]
) -> list[PluginChoice]:
    """The suite's trackers, and those that a command names besides.

    Parameters
    ----------
    suite
        With the parameters that the suite gives them.
    names
        One that the suite has, too, keeps the suite's parameters.

    Raises
    ------
    ConfigError
        If there is none of a name, or what one imports isn't installed.
    """
    found = {choice.name: choice for choice in suite}
    problems = []
    for name in names:
        if name not in found:
            try:
                found[name] = tracker_of(catalog, name, "--tracker")
            except ConfigError as error:
                problems += error.problems
    for name in found:
        packages = catalog.get("tracker", name).attributes["packages"]
        problems += [
            f"tracker {name!r} needs {package}, which isn't installed: {remedy}"
            for package, remedy in packages.items()
            if find_spec(package.partition(".")[0]) is None
        ]
    if problems:
        raise ConfigError(problems)
    return list(found.values())
