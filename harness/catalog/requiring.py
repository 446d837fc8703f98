"""Asking a strategy which cells its cells require, where it can hurt nobody."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

from harness.catalog.loading import load_plugin_class
from harness.cell import Cell
from harness.errors import HarnessError, PluginError
from harness.hooks import PROJECT, PlanHooks

Described = dict[str, Any]
"""A cell as `Cell.to_dict` describes it."""


def required_by(
    locator: str,
    class_name: str,
    params: Mapping[str, Any],
    cells: Sequence[Described],
) -> list[dict[str, Described]]:
    """What a strategy requires of each cell, by role.

    Raises
    ------
    PluginError
        If `requires` raises, or answers anything but cells by role.
    """
    cls: Any = load_plugin_class(locator, class_name)
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PlanHooks)
    manager.register(cls(cls.Params.model_validate_json(json.dumps(dict(params)))))
    return [_asked(manager, locator, Cell.from_dict(cell)) for cell in cells]


def _asked(
    manager: pluggy.PluginManager, locator: str, cell: Cell
) -> dict[str, Described]:
    try:
        answers = manager.hook.requires(cell=cell)
    except (Exception, SystemExit) as error:
        raise PluginError(f"requires: {_told(error, locator)}") from error
    found: dict[str, Described] = {}
    for answer in answers:
        for role, required in _checked(answer).items():
            found[role] = _described(role, required)
    return found


def _told(error: BaseException, locator: str) -> str:
    """What was raised, in one line, with the line of the plugin's own that did."""
    home = Path(locator).parent if locator.endswith("__init__.py") else Path(locator)
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if home in (Path(f.filename), *Path(f.filename).parents)]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    kind = "" if isinstance(error, HarnessError) else f"{type(error).__name__}: "
    return " ".join(f"{kind}{error}".split()) + where


def _checked(answer: Any) -> Mapping[str, Cell]:
    if not isinstance(answer, Mapping):
        raise PluginError(
            f"requires must return cells by role, as {{'teacher': cell...}}, "
            f"not {_shown(answer)}"
        )
    for role, cell in answer.items():
        if not (isinstance(role, str) and role.strip() and role.isprintable()):
            raise PluginError(f"requires: a role is a line of text, not {_shown(role)}")
        if not isinstance(cell, Cell):
            raise PluginError(
                f"requires: {role!r} must be a cell, as cell.with_strategy('baseline') "
                f"gives one, not {_shown(cell)}"
            )
    return answer


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return f"{text[:60]}..." if len(text) > 60 else text


def _described(role: str, cell: Cell) -> Described:
    try:
        described: Described = json.loads(json.dumps(cell.to_dict(), allow_nan=False))
        Cell.from_dict(described)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise PluginError(
            f"requires: the cell {role!r} can't be read ({reason}); change it by "
            "with_strategy, with_model, with_options, with_budget and "
            "replace(seed=...)"
        ) from None
    return described
