"""Importing plugin files in a process of their own, to learn what they declare.

`python -m harness.catalog.probe REPLY` reads requests (JSON lines) from standard
input and appends one JSON line a request to the file REPLY. Each is answered in a
child of its own: a plugin may print what it likes, exit, hang or crash without
hurting the harness or another plugin, and what one imports isn't laid to the next.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pluggy
from pydantic import ValidationError

from harness.catalog.declaration import Kind
from harness.catalog.dependencies import cells_named_by
from harness.catalog.modules import load_module, load_plugin_class
from harness.errors import PluginError
from harness.hooks import (
    PROJECT,
    DiscoveryHooks,
    PlanHooks,
    TrackingHooks,
    TrainingHooks,
)
from harness.options import Budget, DataOptions
from harness.options.entries import merged_budget
from harness.plugin import Dataset, Model, Plugin, Preset, Strategy, Tracker

KIND_OF: dict[type[Plugin], Kind] = {
    Dataset: "dataset",
    Model: "model",
    Strategy: "strategy",
    Tracker: "tracker",
}
TIMEOUT_SECONDS = 60
HEAVY = ("torch", "pandas", "sklearn")
ATTRIBUTES = {
    "dataset": ("folder", "index_files", "synthetic", "source", "license", "citation"),
    "model": ("batch_independent",),
    "strategy": ("uses_model", "batch_independent", "decision_only"),
    "tracker": ("packages",),
}
HOOKS: dict[Kind, tuple[type, ...]] = {
    "strategy": (PlanHooks, TrainingHooks),
    "tracker": (TrackingHooks,),
}
ENTRY_KEYS = {"use", "label", "grid", "budget", "preset", "controls"}


def plugin_classes(module: ModuleType) -> list[type[Plugin]]:
    """What a module offers: by its own discovery hook, or its public subclasses."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(DiscoveryHooks)
    manager.register(module)
    answers = manager.hook.harness_plugins()
    if answers:
        return [cls for answer in answers for cls in answer]
    kinds = tuple(KIND_OF)
    return [
        cls
        for name, cls in vars(module).items()
        if not name.startswith("_")
        and inspect.isclass(cls)
        and cls.__module__ == module.__name__
        and issubclass(cls, kinds)
    ]


def describe(locator: str) -> list[dict[str, Any]]:
    """The declarations of one plugin file, as plain data.

    Raises
    ------
    PluginError
        If a class breaks the contract: no name, misspelt hook, reserved parameter.
    """
    module = load_module(locator)
    light = not any(name in sys.modules for name in HEAVY)
    classes = plugin_classes(module)
    if not classes:
        raise PluginError(
            "it has no public subclass of Dataset, Model, Strategy or Tracker"
        )
    return [{**_describe_class(cls), "light": light} for cls in classes]


def _describe_class(cls: type[Plugin]) -> dict[str, Any]:
    kind = next((k for base, k in KIND_OF.items() if issubclass(cls, base)), None)
    if kind is None:
        raise PluginError(f"{cls.__name__} is no Dataset, Model, Strategy or Tracker")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not name:
        raise PluginError(f"{cls.__name__} has no `name`")
    if any(c in name for c in "/\\. \t\n+") or name.startswith("-"):
        raise PluginError(f"name {name!r} may hold no space, dot, slash or plus sign")
    if not isinstance(cls.version, int):
        raise PluginError(f"{cls.__name__}.version must be a whole number")
    reserved = ENTRY_KEYS | (
        set(DataOptions.model_fields) if kind == "dataset" else set()
    )
    shadowed = sorted(reserved & set(cls.Params.model_fields))
    if shadowed:
        raise PluginError(
            f"{cls.__name__}.Params: {shadowed[0]!r} is a key of the suite"
        )
    docstring = inspect.cleandoc(cls.__doc__ or "")
    return {
        "kind": kind,
        "name": name,
        "version": cls.version,
        "description": docstring.split("\n\n")[0].replace("\n", " "),
        "docstring": docstring,
        "reference": cls.reference,
        "class_name": cls.__name__,
        "schema": cls.Params.model_json_schema(),
        "hooks": _hooks(cls, HOOKS[kind]) if kind in HOOKS else {},
        "attributes": {a: _plain(getattr(cls, a)) for a in ATTRIBUTES[kind]},
        "presets": {n: _preset(cls, n, p) for n, p in cls.presets.items()},
    }


def _preset(cls: type[Plugin], name: str, preset: Any) -> dict[str, Any]:
    """A preset as plain data, its parameters as they are resolved."""
    where = f"{cls.__name__}.presets[{name!r}]"
    if not isinstance(preset, Preset):
        raise PluginError(f"{where} must be a Preset")
    if preset.budget and not issubclass(cls, Strategy):
        raise PluginError(f"{where}: only a strategy's preset has a budget")
    try:
        params = cls.Params.model_validate_json(json.dumps(dict(preset.params)))
        Budget.model_validate_json(json.dumps(merged_budget({}, preset.budget)))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        raise PluginError(f"{where}: {key}: {problem['msg']}") from None
    resolved = params.model_dump(mode="json")
    return {
        "params": {key: resolved[key] for key in preset.params},
        "about": preset.about,
        "footnote": preset.footnote,
        "budget": dict(preset.budget),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, property):
        return None  # parameters decide; `resolve` asks with them
    return list(value) if isinstance(value, tuple) else value


def _hooks(cls: type[Plugin], specifications: Sequence[type]) -> dict[str, bool]:
    """The hooks that a plugin implements; a misspelt one is an error."""
    manager = pluggy.PluginManager(PROJECT)
    for specification in specifications:
        manager.add_hookspecs(specification)
    instance = object.__new__(cls)
    try:
        manager.register(instance, name=cls.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(str(error).replace("\n", " ")) from None
    return {
        caller.name: bool(impl.wrapper or impl.hookwrapper)
        for caller in manager.get_hookcallers(instance) or []
        for impl in caller.get_hookimpls()
    }


def one_line(error: BaseException, locator: str) -> str:
    """An import's failure in one line, with the plugin's own line number."""
    path = locator.removeprefix("module:")
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} (line {error.lineno})"
    lines = [
        f.lineno
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename == path
    ]
    where = f" (line {lines[-1]})" if lines else ""
    if isinstance(error, PluginError):
        return f"{error}"
    return f"{type(error).__name__}: {error}".splitlines()[0] + where


def resolve(locator: str, class_name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Validate a plugin's parameters: the resolved values, or pydantic's errors."""
    cls: Any = load_plugin_class(locator, class_name)
    try:
        # As JSON: what a file can hold is all that a parameter may be made of.
        resolved = cls.Params.model_validate_json(json.dumps(params, default=str))
    except ValidationError as error:
        return {"errors": _told(error)}
    return {
        "params": resolved.model_dump(mode="json"),
        "changed": resolved.model_dump(mode="json", exclude_defaults=True),
        "batch_independent": _batch_independent(cls, resolved),
    }


def _batch_independent(cls: type[Plugin], params: Any) -> bool:
    """What a model or a strategy with these parameters says of itself."""
    said = inspect.getattr_static(cls, "batch_independent", False)
    if not isinstance(said, property):
        return bool(said)
    try:
        return bool(cast("Any", cls(params)).batch_independent)
    except Exception as error:
        raise PluginError(
            f"{cls.__name__}.batch_independent: {type(error).__name__}: {error}"
        ) from error


def _told(error: ValidationError) -> list[dict[str, Any]]:
    """Pydantic's errors as plain JSON values."""
    found: list[dict[str, Any]] = json.loads(error.json(include_url=False))
    return found


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    locator = request["locator"]
    try:
        if "cells" in request:
            return {"cells": cells_named_by(**request)}
        if "params" in request:
            return resolve(locator, request["class_name"], request["params"])
        return {"plugins": describe(locator)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        return {
            "cause": one_line(error, locator),
            "traceback": "".join(traceback.format_exception(error)),
        }


def _ending(status: int, work: str) -> str:
    """How a child that gave no answer to `work` came to its end."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGALRM:
            return f"{work} took more than {TIMEOUT_SECONDS} s"
        return f"{work} crashed the interpreter ({signal.Signals(number).name})"
    return f"{work} ended the interpreter (exit code {os.WEXITSTATUS(status)})"


def main() -> None:
    """Answer every request of standard input, in a forked child each."""
    reply = Path(sys.argv[1])
    for line in sys.stdin:
        size = reply.stat().st_size
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            signal.alarm(TIMEOUT_SECONDS)
            answer = json.dumps(_answer(request), default=str)
            with reply.open("a", encoding="utf-8") as stream:
                stream.write(answer + "\n")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if reply.stat().st_size == size:
            hook = request.get("hook")
            cause = _ending(status, f"its {hook}" if hook else "importing it")
            with reply.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"cause": cause, "traceback": cause}) + "\n")


if __name__ == "__main__":
    main()
