"""Sweeps: `grid.KEY = [values]` in an entry stands for one entry a combination."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import product
from math import prod
from typing import Any

MOST_POINTS = 1000
"""Of one entry: sweeps multiply faster than one thinks."""


def expand_grid(
    table: Mapping[str, Any],
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The tables that an entry with a `grid` stands for.

    Returns
    -------
    list of (table, point)
        The table without `grid` and with the point's values set; and the point, by
        dotted key. An entry without a grid is one table with an empty point.

    Raises
    ------
    ValueError
        If a swept value is no list, or an empty one; a key leads into what is no
        table; or the points are too many.
    """
    axes = _axes(table.get("grid", {}))
    points_in_all = prod(len(values) for values in axes.values())
    if points_in_all > MOST_POINTS:
        raise ValueError(
            f"grid: stands for {points_in_all:,} entries; at most {MOST_POINTS:,} are "
            "taken"
        )
    plain = {key: value for key, value in table.items() if key != "grid"}
    points = [
        dict(zip(axes, values, strict=True)) for values in product(*axes.values())
    ]
    return [(_with(plain, point), point) for point in points]


def _axes(grid: Any, prefix: str = "") -> dict[str, list[Any]]:
    if not isinstance(grid, Mapping):
        raise ValueError(
            "grid: should be a table of lists, as grid.confidence = [0.3, 0.5]"
        )
    axes: dict[str, list[Any]] = {}
    for key, value in grid.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            axes |= _axes(value, f"{name}.")
        elif isinstance(value, list) and value:
            axes[name] = value
        else:
            raise ValueError(f"grid.{name}: should be a list of values, got {value!r}")
    return axes


def _with(table: dict[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(table)
    for name, value in point.items():
        *path, last = name.split(".")
        place = result
        for key in path:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise ValueError(f"grid.{name}: {key} is no table, but {place!r}")
        place[last] = value
    return result
