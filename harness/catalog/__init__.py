"""Finding plugins, and knowing what each declares without importing it."""

from harness.catalog.catalog import Catalog
from harness.catalog.declaration import BrokenPlugin, Declaration, Kind
from harness.catalog.modules import load_plugin_class, source_hash

__all__ = [
    "BrokenPlugin",
    "Catalog",
    "Declaration",
    "Kind",
    "load_plugin_class",
    "source_hash",
]
