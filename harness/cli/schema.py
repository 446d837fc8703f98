"""`harness schema`: the JSON schema of a suite, plugin parameters included."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from harness.catalog import Catalog, Declaration, Kind
from harness.options import Budget, DataOptions
from harness.suite.file import SuiteFile

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""What the TOML extensions of editors understand."""
ENTRIES: tuple[Kind, ...] = ("dataset", "model", "strategy")
"""Kinds that a suite has tables of."""


def print_schema(plugins: Sequence[Path]) -> int:
    """Print the schema of suites that may name the plugins found."""
    click.echo(json.dumps(suite_schema(Catalog.discover(plugins)), indent=2))
    return 0


def suite_schema(catalog: Catalog) -> Schema:
    """The schema of a suite: each entry is one of the plugins, by its `use`.

    It is a little wider than the harness: what a parameter requires of another, and
    which of them a grid may give, is checked when a suite is read.
    """
    definitions: Schema = {}
    suite = _adopted(SuiteFile.model_json_schema(), "suite", definitions)
    budget = _adopted(Budget.model_json_schema(), "budget", definitions)
    _allow_names(budget["properties"]["augment"], definitions)
    definitions["budget"] = budget
    definitions["own budget"] = _partial(budget)
    options = _data_options(definitions)
    for kind in ENTRIES:
        alternatives = []
        for declaration in catalog.all(kind):
            name = f"{kind} {declaration.name}"
            shared = options if kind == "dataset" else {}
            definitions[name] = _entry(declaration, shared, definitions)
            alternatives.append(_reference(name))
        if kind == "strategy":
            definitions["composed strategies"] = _composed(catalog.all(kind))
            alternatives.append(_reference("composed strategies"))
        suite["properties"][kind]["items"] = {"oneOf": alternatives}
    trackers = definitions["suite Execution"]["properties"]["trackers"]
    trackers["items"] = _trackers(catalog.all("tracker"), definitions)
    suite["properties"]["budget"] = {
        **_reference("budget"),
        "description": suite["properties"]["budget"]["description"],
    }
    return {"$schema": DRAFT, **suite, "$defs": definitions}


def _data_options(definitions: Schema) -> Schema:
    """References to the options that every data set takes, by key."""
    options = _adopted(DataOptions.model_json_schema(), "data", definitions)
    for key, value in options["properties"].items():
        definitions[f"data option {key}"] = value
    return {key: _reference(f"data option {key}") for key in options["properties"]}


def _entry(declaration: Declaration, shared: Schema, definitions: Schema) -> Schema:
    """The schema of an entry that uses one plugin."""
    prefix = f"{declaration.kind} {declaration.name}"
    own = _adopted(declaration.schema, prefix, definitions)
    parameters = {**own.get("properties", {}), **shared}
    properties = {
        "use": {"const": declaration.name, "description": declaration.description},
        "label": _label(),
        **parameters,
        "grid": _grid({**parameters, **_preset(declaration)}),
        **_preset(declaration),
    }
    if declaration.kind == "strategy":
        properties["controls"] = _controls()
        with_preset = {**own.get("properties", {}), **_preset(declaration)}
        definitions[f"{prefix} parameters"] = {**own, "properties": with_preset}
    if declaration.kind != "model":
        properties["budget"] = _reference("own budget")
    return {
        "type": "object",
        "description": declaration.description,
        "properties": properties,
        "required": ["use"],
        "additionalProperties": False,
    }


def _trackers(trackers: Sequence[Declaration], definitions: Schema) -> Schema:
    """A tracker by its name alone, with its defaults, or with parameters."""
    tables = []
    for declaration in trackers:
        name = f"tracker {declaration.name}"
        own = _adopted(declaration.schema, name, definitions)
        use = {"const": declaration.name, "description": declaration.description}
        definitions[name] = {
            "type": "object",
            "description": declaration.description,
            "properties": {
                "use": use,
                **own.get("properties", {}),
                **_preset(declaration),
            },
            "required": ["use"],
            "additionalProperties": False,
        }
        tables.append(_reference(name))
    return {"anyOf": [{"enum": [d.name for d in trackers]}, *tables]}


def _composed(strategies: Sequence[Declaration]) -> Schema:
    """Several strategies in one entry, with a table of parameters each."""
    names = [d.name for d in strategies]
    tables = {n: _reference(f"strategy {n} parameters") for n in names}
    return {
        "type": "object",
        "description": "strategies composed, in the order of `use`",
        "properties": {
            "use": {
                "type": "array",
                "items": {"enum": names},
                "minItems": 1,
                "uniqueItems": True,
            },
            "label": _label(),
            **tables,
            "grid": _grid(tables),
            "budget": _reference("own budget"),
            "controls": _controls(),
        },
        "required": ["use"],
        "additionalProperties": False,
    }


def _preset(declaration: Declaration) -> Schema:
    """The key that takes a named set of parameters, where the plugin has any."""
    if not declaration.presets:
        return {}
    about = "; ".join(f"{n}: {p['about']}" for n, p in declaration.presets.items())
    return {"preset": {"enum": list(declaration.presets), "description": about}}


def _controls() -> Schema:
    return {
        "anyOf": [
            {"type": "boolean"},
            {"type": "array", "items": {"type": "string"}},
        ],
        "default": True,
        "description": "which controls stand beside it on the leaderboard: all, none, "
        "or those named",
    }


def _label() -> Schema:
    return {"type": "string", "description": "name on the leaderboard"}


def _grid(parameters: Mapping[str, Any]) -> Schema:
    """Lists of values to sweep; a table's keys may be swept one by one."""
    swept: Schema = {
        key: {"anyOf": [_list_of(value), {"type": "object"}]}
        for key, value in parameters.items()
    }
    return {
        "type": "object",
        "description": "a list of values for each key: one entry a combination",
        "properties": {**swept, "budget": {"type": "object"}},
        "additionalProperties": False,
    }


def _list_of(value: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": value}


def _partial(budget: Schema) -> Schema:
    """A strategy's own budget: a table without `use` changes the suite's."""
    partial = copy.deepcopy(budget)
    for key in ("optimizer", "schedule"):
        whole = partial["properties"][key]
        change = {"type": "object", "not": {"required": ["use"]}}
        partial["properties"][key] = {"anyOf": [whole, change]}
    return partial


def _allow_names(augment: Schema, definitions: Schema) -> None:
    """An augmentation may be called by its name alone, with its defaults."""
    tables = augment["items"]["oneOf"]
    names = [
        definitions[t["$ref"].removeprefix("#/$defs/")]["properties"]["use"]["const"]
        for t in tables
    ]
    augment["items"] = {"anyOf": [{"enum": names}, *tables]}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _adopted(schema: Mapping[str, Any], prefix: str, definitions: Schema) -> Schema:
    """The schema with its own definitions moved to `definitions`, under new names."""
    own = dict(copy.deepcopy(dict(schema)))
    for name, definition in own.pop("$defs", {}).items():
        definitions[f"{prefix} {name}"] = _renamed(definition, prefix)
    renamed: Schema = _renamed(own, prefix)
    return renamed


def _renamed(node: Any, prefix: str) -> Any:
    if isinstance(node, list):
        return [_renamed(item, prefix) for item in node]
    if not isinstance(node, dict):
        return node
    # An annotation of OpenAPI, whose names of definitions would be wrong here.
    kept = {key: value for key, value in node.items() if not _is_tag(key, value)}
    if isinstance(kept.get("$ref"), str):
        name = kept["$ref"].rsplit("/", 1)[-1]
        kept["$ref"] = f"#/$defs/{prefix} {name}"
    return {key: _renamed(value, prefix) for key, value in kept.items()}


def _is_tag(key: str, value: Any) -> bool:
    return key == "discriminator" and isinstance(value, dict) and "mapping" in value
