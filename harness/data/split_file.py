"""A split given as a JSON file of record ids."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import ConfigError
from harness.files.atomic import read_json
from harness.plugin import SPLITS, SplitName

SHOWN, LONGEST = 5, 80


def from_file(
    records: pd.DataFrame, path: Path, dataset_name: str, known: Collection[str]
) -> pd.Series:
    """The split of each record as a JSON file of ids says.

    The file is `{"train": [ids], "validation": [ids], "test": [ids]}`, or that by the
    data set's name; `val` stands for `validation`. That's also the form in which
    splits of the Challenge's sets are published: `{"PTB-XL": {"all": [ids], "train":
    [ids], "val": [ids], "test": [ids]}}`.

    Returns
    -------
    Series
        Names of splits, empty for a record that is in no list.

    Raises
    ------
    ConfigError
        If the file can't be used: what is wrong, and the first of the ids.
    """
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
        fault = _some(unknown, f"unknown to dataset {dataset_name!r}")
        own = min(known, default="")
        raise ConfigError(f"{fault}; it has ids such as {own!r}", str(path))
    return pd.Series(
        [split_of.get(i, "") for i in records.index], records.index, dtype=object
    )


def _some(ids: Sequence[str], fault: str) -> str:
    shown = ", ".join(i[:LONGEST] for i in ids[:SHOWN]) + (
        ", ..." if len(ids) > SHOWN else ""
    )
    return f"{len(ids)} record id(s) {fault}: {shown}"


def _read_split_file(path: Path, dataset_name: str) -> dict[SplitName, list[str]]:
    content = _of_dataset(_read_table(path), dataset_name, path)
    if "val" in content:
        if "validation" in content:
            raise ConfigError("holds both val and validation; give one", str(path))
        content = {**content, "validation": content["val"]}
    missing = [name for name in SPLITS if not isinstance(content.get(name), list)]
    if missing:
        raise ConfigError(
            f"holds no list of ids for {' and '.join(missing)}; it must be "
            '{"train": [ids], "validation": [...], "test": [...]}',
            str(path),
        )
    ids_of = {name: [str(i) for i in content[name]] for name in SPLITS}
    if isinstance(content.get("all"), list):
        listed = {str(i) for i in content["all"]}
        strays = [i for ids in ids_of.values() for i in ids if i not in listed]
        if strays:
            raise ConfigError(_some(strays, 'not in its list "all"'), str(path))
    return ids_of


def _read_table(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", str(path)) from error
    except ValueError as error:
        raise ConfigError(f"is no JSON: {error}", str(path)) from error
    if not isinstance(content, dict):
        raise ConfigError('must hold {"train": [ids], ...}', str(path))
    return content


def _of_dataset(
    content: Mapping[str, Any], dataset_name: str, path: Path
) -> Mapping[str, Any]:
    """The lists of ids: those under the data set's name, or the only ones.

    Names are compared by letters and digits: published files write PTB-XL for ptbxl.
    Another name is no mistake where it stands alone, for a set may be a part of
    another one; ids that aren't the set's are refused later.
    """
    tables = {name: v for name, v in content.items() if isinstance(v, dict)}
    if dataset_name in tables:
        return tables[dataset_name]
    if len(tables) < len(content) or not tables:
        return content
    alike = [n for n in tables if _letters(n) == _letters(dataset_name)]
    chosen = alike or list(tables)
    if len(chosen) > 1:
        names = ", ".join(name[:LONGEST] for name in chosen[:SHOWN])
        raise ConfigError(
            f"holds splits of several data sets ({names}); call the one that is "
            f"meant {dataset_name!r}",
            str(path),
        )
    return tables[chosen[0]]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
