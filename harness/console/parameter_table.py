"""A JSON schema's properties in words: type, default, range, description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

NAMES = {
    "number": "float",
    "integer": "int",
    "boolean": "true | false",
    "string": "text",
    "null": "none",
    "object": "table",
}
BOUNDS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
}


def parameter_rows(schema: Schema) -> list[tuple[str, str, str, str, str]]:
    """Name, type, default, range and description of each property of an object.

    The keys of a nested table follow it as `split.seed`; alternatives that differ by
    their `use` are named only.
    """
    return _rows(schema, schema, "")


def _rows(
    node: Schema, root: Schema, prefix: str
) -> list[tuple[str, str, str, str, str]]:
    rows = []
    needed = node.get("required", ())
    for key, value in node.get("properties", {}).items():
        name = f"{prefix}{key}"
        default = "required" if key in needed else _default(value, root)
        described = value.get("description", "")
        rows.append((name, _type(value, root), default, _range(value), described))
        nested = [n for n in _alternatives(value, root) if "properties" in n]
        if len(nested) == 1:
            rows += _rows(nested[0], root, f"{name}.")
    return rows


def _alternatives(node: Schema, root: Schema) -> list[Schema]:
    """What a value may be, with references followed."""
    if "$ref" in node:
        return _alternatives(root["$defs"][node["$ref"].rsplit("/", 1)[-1]], root)
    choices = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if not choices:
        return [node]
    return [found for choice in choices for found in _alternatives(choice, root)]


def _type(node: Schema, root: Schema) -> str:
    return " | ".join(dict.fromkeys(_word(n, root) for n in _alternatives(node, root)))


def _word(node: Schema, root: Schema) -> str:
    if "const" in node:
        return json.dumps(node["const"])
    if "enum" in node:
        return " | ".join(json.dumps(value) for value in node["enum"])
    if node.get("type") == "array":
        return f"list of {_type(node.get('items', {}), root)}"
    use = node.get("properties", {}).get("use", {})
    if "const" in use:
        return f"{{ use = {json.dumps(use['const'])} }}"
    return NAMES.get(str(node.get("type")), "any")


def _default(node: Schema, root: Schema) -> str:
    if "default" not in node:
        return ""
    value = node["default"]
    if value is None:
        return "none"
    # The keys of a table follow in rows of their own.
    if isinstance(value, dict) and len(_alternatives(node, root)) == 1:
        return ""
    return json.dumps(value)


def _range(node: Schema) -> str:
    """The bounds of a value, or of the alternative that isn't `none`."""
    found = [
        text.format(choice[key] if key == "pattern" else f"{choice[key]:g}")
        for choice in (node, *node.get("anyOf", ()))
        for key, text in BOUNDS.items()
        if key in choice
    ]
    return ", ".join(found)
