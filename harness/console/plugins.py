"""`harness list` and `harness show`: which plugins there are, and what each takes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from harness.catalog import BrokenPlugin, Catalog, Declaration
from harness.catalog.loading import source_files
from harness.console.parameter_table import parameter_rows
from harness.console.table import table
from harness.errors import ConfigError, did_you_mean

HEADINGS = ("parameter", "type", "default", "range", "description")


def list_plugins(plugins: Sequence[Path], *, as_json: bool) -> int:
    """Print a line a plugin, and then those that can't be used with their cause."""
    catalog = Catalog.discover(plugins)
    if as_json:
        click.echo(json.dumps(_plain(catalog), indent=2))
        return 0
    rows = [(d.kind, d.name, d.version, d.description, d.origin) for d in catalog.all()]
    click.echo(table(("kind", "name", "version", "description", "origin"), rows))
    if catalog.broken:
        click.echo("\ncan't be used (harness show NAME tells more):")
        broken = [(b.name, b.origin, b.cause) for b in catalog.broken]
        click.echo(table(("name", "origin", "cause"), broken))
    return 0


def _plain(catalog: Catalog) -> dict[str, list[dict[str, object]]]:
    keys = ("kind", "name", "version", "description", "origin", "locator", "reference")
    return {
        "plugins": [{k: getattr(d, k) for k in keys} for d in catalog.all()],
        "broken": [
            {"name": b.name, "origin": b.origin, "file": b.locator, "cause": b.cause}
            for b in catalog.broken
        ],
    }


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
