"""All plugins that a suite may name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from harness.catalog.builtin import shipped
from harness.catalog.declaration import KINDS, BrokenPlugin, Declaration, Kind
from harness.catalog.modules import MODULE_PREFIX, load_plugin_class, source_hash
from harness.catalog.probe_cache import ask
from harness.errors import ConfigError, PluginError, did_you_mean

ENTRY_POINT_GROUP = "harness"
FOLDERS_VARIABLE = "HARNESS_PLUGINS"
KIND_FOLDERS = ("datasets", "models", "strategies", "trackers")


class Catalog:
    """Plugins by kind and name, with those that can't be used."""

    def __init__(
        self, declarations: Iterable[Declaration], broken: Sequence[BrokenPlugin] = ()
    ) -> None:
        self.broken = list(broken)
        self._by_name: dict[tuple[Kind, str], Declaration] = {}
        for declaration in declarations:
            self._add(declaration)

    @classmethod
    def discover(cls, folders: Sequence[Path] = ()) -> Catalog:
        """Read every drop-in folder and every entry point.

        In this order: the built-in plugins, `./plugins`, the folders of
        `HARNESS_PLUGINS`, `folders` (options and the suite's own), entry points.

        Raises
        ------
        ConfigError
            If a folder doesn't exist, or two plugins of a kind share a name.
        """
        sources = [
            (locator, origin)
            for folder, origin in _drop_in_folders(folders)
            for locator in _plugin_files(folder)
        ]
        sources += _entry_points()
        unique = list(dict(reversed(sources)).items())[::-1]
        answers = ask([{"locator": locator} for locator, _ in unique])
        declarations: list[Declaration] = []
        broken: list[BrokenPlugin] = []
        for (locator, origin), answer in zip(unique, answers, strict=True):
            if "cause" in answer:
                name = _stem(locator)
                cause, trace = answer["cause"], answer["traceback"]
                broken.append(BrokenPlugin(name, origin, locator, cause, trace))
                continue
            digest = source_hash(locator)
            declarations += [
                Declaration(**d, locator=locator, origin=origin, source_hash=digest)
                for d in answer["plugins"]
            ]
        return cls(declarations, broken)

    def _add(self, declaration: Declaration) -> None:
        key = (declaration.kind, declaration.name)
        other = self._by_name.setdefault(key, declaration)
        # The same file twice (an installed harness in a checkout) hides nothing.
        if other.source_hash != declaration.source_hash:
            raise ConfigError(
                f"two plugins are called {declaration.kind} {declaration.name!r}: "
                f"{other.locator} and {declaration.locator}; rename or remove one"
            )

    def all(self, kind: Kind | None = None) -> list[Declaration]:
        """Declarations, sorted by kind and name."""
        found = [d for d in self._by_name.values() if kind in (None, d.kind)]
        return sorted(found, key=lambda d: (KINDS.index(d.kind), d.name))

    def names(self, kind: Kind) -> list[str]:
        """The names of one kind, sorted."""
        return [d.name for d in self.all(kind)]

    def sources(self) -> dict[str, str]:
        """The hash of each plugin's source, by kind and name as results note them."""
        return {f"{d.kind} {d.name}": d.source_hash for d in self.all()}

    def get(self, kind: Kind, name: str) -> Declaration:
        """The plugin of that name.

        Raises
        ------
        ConfigError
            If there is none; says which name is near, or why the file is broken.
        """
        if (kind, name) in self._by_name:
            return self._by_name[kind, name]
        for plugin in self.broken:
            if plugin.name.replace("_", "-") == name.replace("_", "-"):
                raise ConfigError(
                    f"{kind} {name!r} can't be used: {plugin.locator}: {plugin.cause}"
                )
        hint = did_you_mean(name, self.names(kind))
        raise ConfigError(f"unknown {kind} {name!r}; {hint}")

    def load(self, kind: Kind, name: str) -> type[Any]:
        """Import the plugin's class."""
        declaration = self.get(kind, name)
        return load_plugin_class(declaration.locator, declaration.class_name)


def _stem(locator: str) -> str:
    if locator.startswith(MODULE_PREFIX):
        return locator.removeprefix(MODULE_PREFIX)
    path = Path(locator)
    return path.parent.name if path.name == "__init__.py" else path.stem


def _drop_in_folders(folders: Sequence[Path]) -> list[tuple[Path, str]]:
    found = [(shipped("plugins"), "built-in")]
    local = Path("plugins")
    if local.is_dir():
        found.append((local, "./plugins"))
    variable = os.environ.get(FOLDERS_VARIABLE, "")
    named = [(Path(p), FOLDERS_VARIABLE) for p in variable.split(os.pathsep) if p]
    named += [(folder, "") for folder in folders]
    for folder, where in named:
        if not folder.exists():
            raise ConfigError(f"plugin folder {folder} does not exist", where)
    return found + [(folder, str(folder)) for folder, _ in named]


def _plugin_files(folder: Path) -> list[str]:
    """The plugins of a folder, and of its subfolders for each kind."""
    if folder.is_file():
        return [str(folder.resolve())]
    found: list[Path] = []
    for place in (folder, *(folder / name for name in KIND_FOLDERS)):
        if not place.is_dir() or (place != folder and (place / "__init__.py").exists()):
            continue
        for path in sorted(place.iterdir()):
            if path.name.startswith(("_", ".")):
                continue
            if path.suffix == ".py":
                found.append(path)
            elif (path / "__init__.py").is_file():
                found.append(path / "__init__.py")
    return [str(path.resolve()) for path in found]


def _entry_points() -> list[tuple[str, str]]:
    found = []
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        package = entry.dist.name if entry.dist else entry.name
        locator = f"{MODULE_PREFIX}{entry.module}"
        try:
            source_hash(locator)
        except (PluginError, OSError) as error:
            raise ConfigError(
                f"entry point {entry.name!r} of {package}: {error}"
            ) from None
        found.append((locator, f"package {package}"))
    return found
