"""The tables `[execution.<name>]` of executors that other packages bring.

A package declares its executor as an entry point of the group `harness.executors`; the
class that it names says by `table` what a suite may say of it.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from harness.errors import ConfigError
from harness.options.explain import explain
from harness.plugin import Parameters

GROUP = "harness.executors"


@cache
def brought_executors() -> dict[str, EntryPoint]:
    """The executors of other packages, by name; none of them is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}


def load_executor(name: str) -> Any:
    """The class of an executor of another package.

    Raises
    ------
    ConfigError
        If it can't be imported.
    """
    point = brought_executors()[name]
    try:
        return point.load()
    except Exception as error:
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ConfigError(f"executor {name!r} ({point.value}): {cause}") from error


def read_table(name: str, values: Any) -> Parameters:
    """A suite's table of an executor of another package.

    Raises
    ------
    ValueError
        With every mistake in it.
    """
    model: type[Parameters] = load_executor(name).table or Parameters
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = explain(error.errors(), model.model_json_schema())
        raise ValueError("; ".join(f"{name}.{one}" for one in problems)) from None
