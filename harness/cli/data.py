"""`harness data`: prepare recordings, check them, look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.select_dataset import ChosenDataset, choose_dataset, datasets_of
from harness.console import table
from harness.errors import ConfigError, DataError, printable
from harness.execution.hardware import usable_cores
from harness.execution.watchers import RecordsBar

if TYPE_CHECKING:
    from harness.data.dataset import OpenData
    from harness.data.prepare import Prepared
    from harness.data.record_index import RecordIndex
    from harness.options import DataOptions
    from harness.plugin import Dataset

BAD = 1
"""Exit code: there are records that can't be used."""
SHOWN = 5
"""Windows of a record that are listed."""


def _say(text: str) -> None:
    # Ids, labels and reasons may quote files that somebody else has written.
    click.echo(printable(text))


def prepare_suite(suite: Path, plugins: Sequence[Path]) -> int:
    """Make the prepared file of each data set of a suite, and say where it lies.

    Raises
    ------
    DataError
        If some can't be prepared, once all others are.
    """
    rows, failures = [], []
    for chosen in datasets_of(suite, plugins):
        try:
            data = chosen.open()
            prepared = _prepared(chosen.label, data)
        except DataError as error:
            failures.append(str(error))
            continue
        used = len(data.index.records) - len(prepared.bad)
        rows.append((chosen.label, used, len(prepared.bad), prepared.path))
    if rows:
        _say(table(("data set", "records", "bad", "prepared file"), rows))
    if failures:
        raise DataError("\n".join(dict.fromkeys(failures)))
    return 0


def _prepared(label: str, data: OpenData) -> Prepared:
    with RecordsBar(label) as bar:
        return data.prepare(workers=usable_cores(), progress=bar)


def check_dataset(
    dataset: str, suite: Path | None, root: str | None, plugins: Sequence[Path]
) -> int:
    """Decode every record; print counts, what is left out and why, and bad records.

    The exit code is 1 if there are bad records.
    """
    chosen = choose_dataset(dataset, suite, root, plugins)
    data = chosen.open()
    bad = _bad_records(chosen, data)
    _say(_about(chosen, data))
    click.echo()
    _say(_counts(data.index.counts, list(data.dataset.classes)))
    if data.index.excluded:
        click.echo("\nleft out:")
        _say(table(("reason", "records"), list(data.index.excluded.items())))
    if not bad:
        click.echo("\nno bad records")
        return 0
    click.echo(f"\n{len(bad)} bad records:")
    _say(table(("record", "reason"), [(b["record"], b["reason"]) for b in bad]))
    return BAD


def _bad_records(chosen: ChosenDataset, data: OpenData) -> list[dict[str, str]]:
    def prepared(on_bad_record: str) -> Prepared:
        options = data.options.model_copy(update={"on_bad_record": on_bad_record})
        return _prepared(chosen.label, replace(data, options=options))

    try:
        # As an error, for then records that were bad before are read once more.
        return prepared("error").bad
    except DataError:
        return prepared("skip").bad


def _about(chosen: ChosenDataset, data: OpenData) -> str:
    from harness.data.check_options import sampling_rate

    dataset, options = data.dataset, data.options
    leads = options.leads or dataset.leads
    synthetic = " (generated)" if dataset.synthetic else ""
    facts = {
        "data set": f"{chosen.label}{synthetic}",
        "folder": dataset.root,
        "records": f"{len(data.index.records)} used",
        "task": f"{dataset.task}, {len(dataset.classes)} classes",
        "leads": ", ".join(leads),
        "sampling rate": f"{sampling_rate(dataset, options):g} Hz",
        "length": _length(dataset, options),
        "label rule": dataset.label_rule,
        "fingerprint": data.index.fingerprint,
    }
    return "\n".join(f"{key}: {value}" for key, value in facts.items())


def _length(dataset: Dataset, options: DataOptions) -> str:
    """Of a sample, and what becomes of records that are longer."""
    from harness.data.check_options import chunking, sampling_rate, window_samples

    rate, window = sampling_rate(dataset, options), window_samples(dataset, options)
    if window is None:
        return "whole records"
    seconds, cut = f"{window / rate:g} s", chunking(dataset, options)
    if cut is None:
        return f"{seconds}; of longer records the middle"
    stride = f"{cut.stride / rate:g} s"
    return f"{seconds}; of longer records the {cut.combine} of windows every {stride}"


def _windows(samples: int, dataset: Dataset, options: DataOptions) -> str:
    """The windows that a record is judged by, in s; nothing where it's by one."""
    from harness.data.check_options import chunking, sampling_rate, window_samples
    from harness.data.windows import window_starts

    rate, window = sampling_rate(dataset, options), window_samples(dataset, options)
    cut = chunking(dataset, options)
    if cut is None or window is None or samples <= window:
        return ""
    starts = window_starts(samples, window, cut.stride)
    shown = ", ".join(f"{s / rate:g}-{(s + window) / rate:g}" for s in starts[:SHOWN])
    more = ", ..." if len(starts) > SHOWN else ""
    return f"judged by {len(starts)} windows: {shown}{more} s"


def _counts(counts: dict[str, dict[str, Any]], classes: list[str]) -> str:
    rows = [
        (split, c["records"], c["patients"], *(c["classes"][name] for name in classes))
        for split, c in counts.items()
    ]
    return table(("split", "records", "patients", *classes), rows)


def draw(
    dataset: str,
    record: str | None,
    suite: Path | None,
    root: str | None,
    plugins: Sequence[Path],
    out: Path | None,
) -> int:
    """Draw a record, as a suite's options leave it, on ECG paper.

    Raises
    ------
    ConfigError
        If there is no such record.
    DataError
        If it can't be read.
    """
    chosen = choose_dataset(dataset, suite, root, plugins)
    data = chosen.open()
    name = _known_record(record, data.index)
    path = out or Path(f"{chosen.label}-{name}.png".replace("/", "_"))
    title, samples = draw_to(path, chosen.label, data, name)
    _say(f"{title}: {path}")
    windows = _windows(samples, data.dataset, data.options)
    if windows:
        _say(windows)
    return 0


def draw_to(path: Path, label: str, data: OpenData, record: str) -> tuple[str, int]:
    """Draw a record, as the options of its data set leave it, on ECG paper, as PNG.

    Returns
    -------
    tuple
        What stands above it, and the number of its samples.

    Raises
    ------
    DataError
        If it can't be read.
    """
    from harness.data.check_options import sampling_rate
    from harness.data.decode import decode_record
    from harness.report.ecg_paper import draw_record

    row = data.index.records.loc[[record]].iloc[0]
    rate = sampling_rate(data.dataset, data.options)
    decoded = decode_record(data.dataset, row, rate, data.options.filter)
    if decoded.signal is None:
        raise DataError(f"record {record} of {label}: {decoded.fault}")
    stored = list(data.dataset.leads)
    leads = data.options.leads or stored
    signal = decoded.signal[[stored.index(lead) for lead in leads]]
    labels = ", ".join(row["labels"]) or "no label"
    title = f"{label} {record}: {labels} ({row['split']})"
    draw_record(signal, rate, leads, title, path)
    return title, signal.shape[-1]


def _known_record(record: str | None, index: RecordIndex) -> str:
    known = index.records.index
    if record is None:
        return str(known[0])
    if record in known:
        return record
    close = get_close_matches(record, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}?" if close else f"one that is: {known[0]!r}"
    raise ConfigError(f"record {record!r} is none of the {len(known)} used; {hint}")
