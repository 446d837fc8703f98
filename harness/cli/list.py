"""`harness list`: which plugins there are, and which can't be used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from harness.catalog import Catalog
from harness.console import table


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
