"""Pydantic's errors as short messages with the key and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import did_you_mean

_QUOTED = re.compile(r"'([^']+)'")
LONGEST_VALUE = 200
_PLAIN = {
    "model_attributes_type": 'should be a table, as { use = "..." }',
    "model_type": "should be a table",
    "dict_type": "should be a table",
    "list_type": "should be a list, in brackets",
}
"""What TOML calls what pydantic calls otherwise, by the type of the error."""


def explain(
    errors: Iterable[Mapping[str, Any]], schema: Mapping[str, Any], prefix: str = ""
) -> list[str]:
    """One message an error, each beginning with the dotted key.

    Parameters
    ----------
    errors
        As `ValidationError.errors()` gives them.
    schema
        JSON schema of the validated model, to know the keys that were possible.
    prefix
        Put before each key, as `[[dataset]] 1 (ptbxl)`.
    """
    return [_message(error, schema, prefix) for error in errors]


def _message(error: Mapping[str, Any], schema: Mapping[str, Any], prefix: str) -> str:
    location: Sequence[Any] = error["loc"]
    key = " ".join(x for x in (prefix, _dotted(location, schema)) if x)
    if error["type"] == "extra_forbidden":
        name = str(location[-1])
        return f"{key}: unknown key; {did_you_mean(name, _keys(schema, location[:-1]))}"
    if error["type"] == "missing":
        return f"{key}: is required"
    if error["type"] == "value_error":
        text = str(error["msg"]).removeprefix("Value error, ")
        return f"{key}: {text}" if key else text
    if error["type"] == "list_type" and isinstance(error["input"], Mapping):
        return f"{key}: should be a list: write [[{location[-1]}]] for each table of it"
    if error["type"] == "union_tag_invalid":
        known = _QUOTED.findall(error["ctx"]["expected_tags"])
        tag = str(error["ctx"]["tag"])
        return f"{key}.use: unknown {tag!r}; {did_you_mean(tag, known)}"
    text = _PLAIN.get(error["type"]) or str(error["msg"])
    got = shortened(repr(error["input"]))
    return f"{key}: {text.replace('Input should', 'should')}, got {got}"


def shortened(text: str) -> str:
    """The text, or its beginning where nobody would read it all."""
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _dotted(location: Sequence[Any], schema: Mapping[str, Any]) -> str:
    text = ""
    for i, part in enumerate(location):
        if isinstance(part, int):
            text += f"[{part + 1}]"
        # A union's tag is part of pydantic's location, but no key of the file.
        elif i == len(location) - 1 or part in _keys(schema, location[:i]):
            text += f".{part}" if text else str(part)
    return text


def _keys(schema: Mapping[str, Any], location: Sequence[Any]) -> set[str]:
    """The keys that may stand at a place of a document of that schema."""
    nodes = _expand(schema, schema)
    for part in location:
        children: list[Mapping[str, Any]] = []
        for node in nodes:
            child = node.get("properties", {}).get(part) or node.get("items")
            if isinstance(child, Mapping):
                children += _expand(child, schema)
        nodes = children or nodes
    return {key for node in nodes for key in node.get("properties", {})}


def _expand(
    node: Mapping[str, Any], root: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """A node with its references and alternatives followed."""
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        return _expand(root["$defs"][name], root)
    found = [node]
    for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        found += _expand(choice, root)
    return found
