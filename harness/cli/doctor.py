"""`harness doctor`: what this machine has, and what is missing to run suites."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal, NamedTuple

import click

from harness import __version__
from harness.cache import cache_root
from harness.catalog import Catalog
from harness.console import table
from harness.errors import HarnessError

DISTRIBUTION = "ecg-harness"
COLOURS = {"ok": "green", "note": "yellow", "missing": "red"}


class Finding(NamedTuple):
    """One thing that was looked at; only what is missing keeps suites from running."""

    state: Literal["ok", "note", "missing"]
    what: str
    found: str


def examine(runs: Path) -> int:
    """Print what was found; exit code 1 if something keeps suites from running."""
    findings = [
        *_versions(),
        *_machine(),
        *_plugins_and_data(),
        _folder("cache", cache_root(), with_size=True),
        _folder("results", runs),
    ]
    rows = [(click.style(f.state, fg=COLOURS[f.state]), *f[1:]) for f in findings]
    click.echo(table(("", "what", "found"), rows))
    return int(any(f.state == "missing" for f in findings))


def _versions() -> Iterator[Finding]:
    yield Finding("ok", "harness", __version__)
    yield Finding("ok", "Python", platform.python_version())
    try:
        needed = [r for r in requires(DISTRIBUTION) or () if "extra ==" not in r]
    except PackageNotFoundError:
        yield Finding("note", DISTRIBUTION, "is not installed, only imported")
        return
    for requirement in needed:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            yield Finding("ok", name, version(name))
        except PackageNotFoundError:
            yield Finding("missing", name, f"not installed; needed: {requirement}")


def _machine() -> Iterator[Finding]:
    from harness.execution.hardware import describe_hardware, gpu_names, usable_cores

    usable = usable_cores()
    yield Finding("ok", "machine", describe_hardware())
    yield Finding(
        "ok", "usable cores", f"{usable}: so many threads at a time (budget.threads)"
    )
    gpus = gpu_names()
    yield Finding("ok", "GPUs", "; ".join(gpus) or "none: cells run on the CPU")


def _plugins_and_data() -> Iterator[Finding]:
    try:
        catalog = Catalog.discover()
    except HarnessError as error:
        yield Finding("missing", "plugins", str(error))
        return
    yield Finding("ok", "plugins", f"{len(catalog.all())} usable")
    for broken in catalog.broken:
        yield Finding("note", f"plugin {broken.name}", f"can't be used: {broken.cause}")
    data = os.environ.get("HARNESS_DATA", "")
    if not data:
        yield Finding("note", "HARNESS_DATA", "not set: names the folder of recordings")
    elif not Path(data).is_dir():
        yield Finding("note", "HARNESS_DATA", f"no folder {data}")
    else:
        yield Finding("ok", "HARNESS_DATA", data)
    for declaration in catalog.all("dataset"):
        folder = declaration.attributes["folder"]
        if folder:
            source = declaration.attributes["source"]
            yield _recordings(declaration.name, Path(data or "-") / folder, source)


def _recordings(name: str, folder: Path, source: str) -> Finding:
    if folder.is_dir():
        return Finding("ok", f"data set {name}", str(folder))
    where = f"; to be had from {source}" if source else ""
    return Finding("note", f"data set {name}", f"not found{where}")


def _folder(name: str, folder: Path, *, with_size: bool = False) -> Finding:
    """Whether a folder can be written, or made; it is not made here."""
    place = folder.expanduser().absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=".writable-"):
            free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding("missing", name, f"{folder} can't be written: {error.strerror}")
    size = f"{_size(folder) / 2**30:.2f} GiB, " if with_size else ""
    return Finding("ok", name, f"{folder} ({size}{free / 2**30:.1f} GiB of disk free)")


def _size(folder: Path) -> int:
    """Bytes of all files below; what goes meanwhile counts for nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).lstat().st_size
    return total
