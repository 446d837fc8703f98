"""`harness show`: all that is known of a plugin, its parameters in words among it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from harness.catalog import BrokenPlugin, Catalog, Declaration
from harness.catalog.modules import source_files
from harness.console import table
from harness.errors import ConfigError, did_you_mean

HEADINGS = ("parameter", "type", "default", "range", "description")


def show_plugin(name: str, plugins: Sequence[Path]) -> int:
    """Print all that is known of the plugins of a name, of whatever kind.

    Raises
    ------
    ConfigError
        If there is none.
    """
    catalog = Catalog.discover(plugins)
    pages = [_page(d) for d in catalog.all() if d.name == name]
    pages += [_broken_page(b) for b in catalog.broken if _same(b.name, name)]
    if not pages:
        known = {d.name for d in catalog.all()} | {b.name for b in catalog.broken}
        raise ConfigError(f"unknown plugin {name!r}; {did_you_mean(name, known)}")
    click.echo("\n\n".join(pages))
    return 0


def _same(a: str, b: str) -> bool:
    """A broken plugin is known by its file's name only, where words have no dashes."""
    return a.replace("_", "-") == b.replace("_", "-")


def _page(declaration: Declaration) -> str:
    d = declaration
    about = [
        ("origin", d.origin),
        ("file", _file(d.locator)),
        ("reference", d.reference),
        *((key, d.attributes.get(key, "")) for key in ("source", "license")),
        ("citation", d.attributes.get("citation", "")),
        ("hooks", ", ".join(sorted(d.hooks))),
        ("needs", ", ".join(d.attributes.get("packages", ()))),
    ]
    facts = [f"{key}: {value}" for key, value in about if value]
    parts = [f"{d.kind} {d.name}, version {d.version}", d.docstring, "\n".join(facts)]
    parts += [_parameters(d), _presets(d)]
    return "\n\n".join(part for part in parts if part)


def _presets(declaration: Declaration) -> str:
    """Each preset with what it sets, as a suite would say it."""
    blocks = []
    for name, preset in declaration.presets.items():
        lines = [f"preset {name}: {preset['about']}"]
        settings = {**preset["params"], **_dotted(preset["budget"], "budget.")}
        lines += [f"    {key} = {json.dumps(value)}" for key, value in settings.items()]
        if preset["footnote"]:
            lines.append(f"    footnote: {preset['footnote']}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _dotted(table: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name: found
        for key, value in table.items()
        for name, found in (
            _dotted(value, f"{prefix}{key}.")
            if isinstance(value, Mapping)
            else {f"{prefix}{key}": value}
        ).items()
    }


def _parameters(declaration: Declaration) -> str:
    rows = parameter_rows(declaration.schema)
    own = table(HEADINGS, rows) if rows else "It takes no parameters."
    if declaration.kind != "dataset":
        return own
    from harness.options import DataOptions

    options = table(HEADINGS, parameter_rows(DataOptions.model_json_schema()))
    return f"{own}\n\nEvery data set also takes these options:\n\n{options}"


def _file(locator: str) -> str:
    files = source_files(locator)
    heads = [f for f in files if f.name == "__init__.py"] or files
    return str(min(heads, key=lambda f: len(f.parts)))


def _broken_page(broken: BrokenPlugin) -> str:
    return (
        f"{broken.name} can't be used: {broken.cause}\n\n"
        f"origin: {broken.origin}\nfile: {broken.locator}\n\n"
        f"{textwrap.indent(broken.traceback.rstrip(), '    ')}"
    )


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
