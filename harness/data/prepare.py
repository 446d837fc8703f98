"""Decoding a data set once, in parallel, into its prepared file."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cache import cache_root
from harness.catalog import source_hash
from harness.data.check_options import sampling_rate
from harness.data.dataset_source import plugin_locator
from harness.data.decode import Decoded, decode_records, flat_leads
from harness.data.prepared_file import Contents, read_contents, write_prepared
from harness.data.record_index import RecordIndex
from harness.errors import DataError
from harness.files.atomic import canonical
from harness.options import DataOptions
from harness.plugin import Dataset

PIPELINE_VERSION = 1
"""Raised when decoding, filtering or resampling changes what a prepared file holds."""

SHOWN = 10

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """A prepared file.

    Attributes
    ----------
    path
        The HDF5 file.
    key
        Hash of all that decides what it holds.
    bad
        Records that are left out: `record` and `reason`.
    """

    path: Path
    key: str
    bad: list[dict[str, str]]


def prepare(
    dataset: Dataset,
    index: RecordIndex,
    options: DataOptions,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Prepared:
    """Make the prepared file of a data set, or find it made already.

    Sets that differ only in leads, normalising, duration or split share a file.

    Parameters
    ----------
    workers
        Processes that decode; 1 decodes in this one.
    progress
        Called with the records done and their number.

    Raises
    ------
    DataError
        If records are bad and the suite doesn't say to skip them, or the disk is
        too small.
    """
    key = prepared_key(dataset, index, options)
    path = cache_root() / "prepared" / f"{dataset.name}-{key}.h5"
    strict = options.on_bad_record == "error"
    contents = read_contents(path)
    # Where bad records are an error they may have been mended since.
    if contents is None or (strict and bad_records(contents, options)):
        _check_space(dataset, index, options, path)
        rate = sampling_rate(dataset, options)
        decoded = decode_records(dataset, index.records, rate, options.filter, workers)
        about = {"key": key, "fingerprint": index.fingerprint, "sampling_rate": rate}
        reported = _reported(decoded, len(index.records), progress)
        write_prepared(path, reported, dataset.leads, about)
        contents = read_contents(path)
        assert contents is not None
    bad = bad_records(contents, options)
    if strict and bad:
        raise DataError(_complaint(dataset.name, bad))
    return Prepared(path, key, bad)


def prepared_key(dataset: Dataset, index: RecordIndex, options: DataOptions) -> str:
    """Hash (16 digits) of all that decides what the prepared file holds."""
    parts: list[Any] = [
        PIPELINE_VERSION,
        dataset.name,
        dataset.version,
        source_hash(plugin_locator(type(dataset))),
        dataset.params.model_dump(mode="json"),
        index.fingerprint,
        sampling_rate(dataset, options),
        None if options.filter is None else options.filter.model_dump(mode="json"),
    ]
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:16]


def bad_records(contents: Contents, options: DataOptions) -> list[dict[str, str]]:
    """Records that can't be used with the leads that the suite asks for."""
    wanted = set(contents.leads if options.leads is None else options.leads)
    bad = []
    for entry in contents.bad:
        flat = [lead for lead in entry.get("leads", ()) if lead in wanted]
        reason = flat_leads(flat) if flat else entry.get("reason")
        if reason:
            bad.append({"record": entry["record"], "reason": reason})
    return bad


def _complaint(name: str, bad: list[dict[str, str]]) -> str:
    lines = [f"  {b['record']}: {b['reason']}" for b in bad[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"  and {len(bad) - SHOWN} more")
    return "\n".join(
        [
            f"dataset {name!r}: {len(bad)} bad record(s):",
            *lines,
            'to leave them out and count them, set on_bad_record = "skip" in the '
            "suite's [[dataset]]",
        ]
    )


def _check_space(
    dataset: Dataset, index: RecordIndex, options: DataOptions, path: Path
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    needed = _expected_bytes(dataset, index, options)
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise DataError(
            f"dataset {dataset.name!r}: the prepared file needs about "
            f"{needed / 2**20:,.0f} MiB but {path.parent} has {free / 2**20:,.0f} MiB "
            "free; set HARNESS_CACHE to a folder on a larger disk"
        )


def _expected_bytes(dataset: Dataset, index: RecordIndex, options: DataOptions) -> int:
    rate = sampling_rate(dataset, options)
    if dataset.seconds is not None:
        samples = len(index.records) * dataset.seconds * rate
        return int(4 * samples * len(dataset.leads))
    paths = (dataset.root / f for files in index.records["files"] for f in files)
    stored = sum(p.stat().st_size for p in paths if p.is_file())
    # Recordings are mostly stored as 16-bit integers, half a float32.
    return int(2 * stored * rate / dataset.sampling_rate)


def _reported(
    decoded: Iterable[Decoded], records: int, progress: Progress | None
) -> Iterator[Decoded]:
    for done, record in enumerate(decoded, start=1):
        yield record
        if progress is not None:
            progress(done, records)
