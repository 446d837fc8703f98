"""Recordings at hand, drawn for a suite's web page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.data import draw_to
from harness.cli.select_dataset import ChosenDataset, datasets_of
from harness.data.dataset import OpenData
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.report.board.board import DatasetTables

Draw = Callable[["DatasetTables", str], bytes | None]


def record_drawer(suite: Path, plugins: Sequence[Path]) -> Draw:
    """What draws a record of a suite's data set, as PNG, as its options leave it.

    It gives None where the data set isn't the suite's own, or has other records than
    those that results were judged on.

    Raises
    ------
    ConfigError
        If there is no such suite.
    """
    known = {chosen.label: chosen for chosen in datasets_of(suite, plugins)}

    @cache
    def opened(label: str) -> OpenData | None:
        return _opened(known[label]) if label in known else None

    def draw(dataset: DatasetTables, record: str) -> bytes | None:
        data, about = opened(dataset.label), dataset.about
        if data is None or about is None:
            return None
        if about.fingerprints != [data.index.fingerprint]:
            return None
        return _drawn(dataset.label, data, record)

    return draw


def _opened(chosen: ChosenDataset) -> OpenData | None:
    try:
        return chosen.open()
    except DataError:
        return None


def _drawn(label: str, data: OpenData, record: str) -> bytes | None:
    if record not in data.index.records.index:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.png"
        try:
            draw_to(path, label, data, record)
        except DataError:
            return None
        return path.read_bytes()
