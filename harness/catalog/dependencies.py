"""Asking a strategy for the cells that go with its cells, where it can hurt nobody."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

from harness.catalog.modules import load_plugin_class
from harness.cell import Cell
from harness.errors import HarnessError, PluginError
from harness.hooks import PROJECT, PlanHooks

Described = dict[str, Any]
"""A cell as `Cell.to_dict` describes it."""


def cells_named_by(
    hook: str,
    locator: str,
    class_name: str,
    params: Mapping[str, Any],
    cells: Sequence[Described],
) -> list[dict[str, Described]]:
    """What a strategy's `requires` or `controls` answers for each cell, by role.

    Raises
    ------
    PluginError
        If the hook raises, or answers anything but cells by role.
    """
    cls: Any = load_plugin_class(locator, class_name)
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PlanHooks)
    manager.register(cls(cls.Params.model_validate_json(json.dumps(dict(params)))))
    return [_asked(manager, hook, locator, Cell.from_dict(cell)) for cell in cells]


def _asked(
    manager: pluggy.PluginManager, hook: str, locator: str, cell: Cell
) -> dict[str, Described]:
    try:
        answers = getattr(manager.hook, hook)(cell=cell)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{hook}: {_told(error, locator)}") from error
    found: dict[str, Described] = {}
    for answer in answers:
        for role, named in _checked(hook, answer).items():
            found[role] = _described(hook, role, named)
    return found


def _told(error: BaseException, locator: str) -> str:
    """What was raised, in one line, with the line of the plugin's own that did."""
    home = Path(locator).parent if locator.endswith("__init__.py") else Path(locator)
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if home in (Path(f.filename), *Path(f.filename).parents)]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    kind = "" if isinstance(error, HarnessError) else f"{type(error).__name__}: "
    return " ".join(f"{kind}{error}".split()) + where


def _checked(hook: str, answer: Any) -> Mapping[str, Cell]:
    if not isinstance(answer, Mapping):
        raise PluginError(
            f"{hook} must return cells by role, as {{'teacher': cell...}}, "
            f"not {_shown(answer)}"
        )
    for role, cell in answer.items():
        if not (isinstance(role, str) and role.strip() and role.isprintable()):
            raise PluginError(f"{hook}: a role is a line of text, not {_shown(role)}")
        if not isinstance(cell, Cell):
            raise PluginError(
                f"{hook}: {role!r} must be a cell, as cell.with_strategy('baseline') "
                f"gives one, not {_shown(cell)}"
            )
    return answer


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return f"{text[:60]}..." if len(text) > 60 else text


def _described(hook: str, role: str, cell: Cell) -> Described:
    try:
        described: Described = json.loads(json.dumps(cell.to_dict(), allow_nan=False))
        Cell.from_dict(described)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise PluginError(
            f"{hook}: the cell {role!r} can't be read ({reason}); change it by "
            "with_strategy, with_model, with_options, with_budget and "
            "replace(seed=...)"
        ) from None
    return described
