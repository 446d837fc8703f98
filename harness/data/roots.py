"""The folder in which a data set lies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.cache import cache_root
from harness.catalog import source_hash
from harness.data.dataset_source import plugin_locator
from harness.errors import DataError
from harness.files.atomic import canonical
from harness.files.paths import expanded
from harness.options import DataOptions
from harness.plugin import Dataset


def dataset_root(
    dataset: Dataset | type[Dataset],
    options: DataOptions,
    suite_folder: Path | None,
) -> Path:
    """The folder below which a data set's files lie.

    It is `options.root` (relative to the suite's folder) or else the set's own folder
    below `HARNESS_DATA`. Generated sets lie in the cache, in a folder of their own for
    each version of their source and choice of parameters; it need not exist yet.

    Raises
    ------
    DataError
        If no folder is named, or the folder doesn't exist.
    """
    instance = dataset() if isinstance(dataset, type) else dataset
    return find_root(
        name=dataset.name,
        version=dataset.version,
        params=instance.params.model_dump(mode="json"),
        folder=dataset.folder,
        source=dataset.source,
        source_hash=source_hash(plugin_locator(type(instance))),
        chosen=options.root,
        suite_folder=suite_folder,
    )


def find_root(
    *,
    name: str,
    version: int,
    params: Mapping[str, Any],
    folder: str,
    source: str,
    source_hash: str,
    chosen: str | None,
    suite_folder: Path | None,
) -> Path:
    """As `dataset_root`, from plain values, so that no plugin need be imported."""
    if chosen is not None:
        path = (suite_folder or Path()) / expanded(chosen)
        if not folder:
            return path
        return _existing(path, name, source, 'named by `root = "..."`')
    if not folder:
        digest = hashlib.sha256(
            canonical([version, dict(params), source_hash]).encode()
        )
        return cache_root() / "generated" / f"{name}-{digest.hexdigest()[:12]}"
    data = os.environ.get("HARNESS_DATA")
    if not data:
        raise DataError(
            f"dataset {name!r}: no folder is named for its recordings; set "
            f"HARNESS_DATA to the folder that holds {folder}/, or `root` in the "
            f"suite's [[dataset]]{_where_to_get_it(source)}"
        )
    place = expanded(data)
    if place.name == folder and not (place / folder).exists():
        raise DataError(
            f"dataset {name!r}: HARNESS_DATA is {place}, the data set itself; set it "
            "to the folder above"
        )
    return _existing(place / folder, name, source, "in HARNESS_DATA")


def _existing(path: Path, name: str, source: str, named: str) -> Path:
    if path.is_dir():
        return path
    raise DataError(
        f"dataset {name!r}: no folder {path} ({named}); set HARNESS_DATA to the folder "
        f'above it, or `root = "..."` in the suite\'s [[dataset]] to the folder itself'
        f"{_where_to_get_it(source)}"
    )


def _where_to_get_it(source: str) -> str:
    return f"; the recordings can be had from {source}" if source else ""
