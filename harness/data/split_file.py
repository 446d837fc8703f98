"""A split given as a JSON file of record ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from harness.data.split_names import SPLITS
from harness.errors import ConfigError
from harness.plugin import SplitName
from harness.results.files import read_json

SHOWN, LONGEST = 5, 80


def from_file(
    records: pd.DataFrame, path: Path, dataset_name: str, known: Collection[str]
) -> pd.Series:
    """The split of each record as a JSON file of ids says."""
    ids_of = _read_split_file(path, dataset_name)
    split_of: dict[str, str] = {}
    twice: list[str] = []
    for name, ids in ids_of.items():
        twice += [i for i in ids if split_of.get(i, name) != name]
        split_of.update(dict.fromkeys(ids, name))
    if twice:
        raise ConfigError(_some(twice, "in more than one split"), str(path))
    unknown = [i for i in split_of if i not in known]
    if unknown:
        raise ConfigError(
            _some(unknown, f"unknown to dataset {dataset_name!r}"), str(path)
        )
    return pd.Series(
        [split_of.get(i, "") for i in records.index], records.index, dtype=object
    )


def _some(ids: Sequence[str], fault: str) -> str:
    shown = ", ".join(i[:LONGEST] for i in ids[:SHOWN]) + (
        ", ..." if len(ids) > SHOWN else ""
    )
    return f"{len(ids)} record id(s) {fault}: {shown}"


def _read_split_file(path: Path, dataset_name: str) -> dict[SplitName, list[str]]:
    try:
        content = read_json(path)
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", str(path)) from error
    except ValueError as error:
        raise ConfigError(f"is no JSON: {error}", str(path)) from error
    if isinstance(content, dict) and isinstance(content.get(dataset_name), dict):
        content = content[dataset_name]
    if not isinstance(content, dict):
        raise ConfigError('must hold {"train": [ids], ...}', str(path))
    if "val" in content:
        content["validation"] = content.pop("val")
    missing = [name for name in SPLITS if not isinstance(content.get(name), list)]
    if missing:
        raise ConfigError(
            f"holds no list of ids for {' and '.join(missing)}; it must be "
            '{"train": [ids], "validation": [...], "test": [...]}',
            str(path),
        )
    return {name: [str(i) for i in content[name]] for name in SPLITS}
