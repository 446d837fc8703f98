"""Importing a plugin file, folder or module under a name of its own."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from harness.errors import PluginError

MODULE_PREFIX = "module:"


def source_files(locator: str) -> list[Path]:
    """The Python files that a plugin consists of: one, or a whole folder's."""
    path = Path(_module_file(locator) if locator.startswith(MODULE_PREFIX) else locator)
    if path.name == "__init__.py":
        return sorted(path.parent.rglob("*.py"))
    return [path]


def source_hash(locator: str) -> str:
    """SHA-256 (16 digits) of a plugin's source: changed when a file of it is edited."""
    digest = hashlib.sha256()
    for file in source_files(locator):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _module_file(locator: str) -> str:
    """The file of `module:package.name`, found without importing the package."""
    parts = locator.removeprefix(MODULE_PREFIX).split(".")
    spec = importlib.util.find_spec(parts[0])
    for part in parts[1:]:
        if spec is None or spec.submodule_search_locations is None:
            break
        spec = importlib.machinery.PathFinder.find_spec(
            part, list(spec.submodule_search_locations)
        )
    if spec is None or spec.origin is None:
        raise PluginError(f"module {'.'.join(parts)} is not installed")
    return spec.origin


def load_module(locator: str | Path) -> ModuleType:
    """Import a plugin once; `locator` is a file's path or `module:package.name`.

    A folder's locator is the path of its `__init__.py`; it may use relative imports.
    """
    locator = str(locator)
    if locator.startswith(MODULE_PREFIX):
        return importlib.import_module(locator.removeprefix(MODULE_PREFIX))
    path = Path(locator).resolve()
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"harness_plugin_{digest}_{stem}"
    if name in sys.modules:
        return sys.modules[name]
    folder = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=folder
    )
    if spec is None or spec.loader is None:
        raise PluginError(f"{path}: no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def load_plugin_class(locator: str | Path, class_name: str) -> type:
    """The plugin class `class_name` of the file or module at `locator`."""
    found: type = getattr(load_module(locator), class_name)
    return found
