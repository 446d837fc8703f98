"""Whether a suite's data options fit a data set, before anything is decoded."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.data.windows import Chunking
from harness.errors import ConfigError, did_you_mean
from harness.options import DataOptions
from harness.plugin import Dataset


def check_options(
    dataset: Dataset, options: DataOptions, columns: Collection[str]
) -> None:
    """Refuse leads, side features, filters, durations and chunks that the set can't
    serve.

    Parameters
    ----------
    columns
        Of the data set's records.

    Raises
    ------
    ConfigError
        All that doesn't fit.
    """
    problems = [
        *_lead_problems(dataset, options),
        *_filter_problems(dataset, options),
        *(f"side: there is no {s!r}" for s in options.side if s not in columns),
        *_duration_problems(dataset, options),
        *_chunk_problems(dataset, options),
    ]
    if problems:
        raise ConfigError(problems, f"dataset {dataset.name!r}")


def sampling_rate(dataset: Dataset, options: DataOptions) -> float:
    """Sampling rate that records are brought to, in Hz."""
    return float(options.sampling_rate or dataset.sampling_rate)


def window_samples(dataset: Dataset, options: DataOptions) -> int | None:
    """Samples of a batch; None where records are taken whole.

    That is where the suite says so, or says nothing of a set whose records differ in
    length.
    """
    seconds = dataset.seconds if options.seconds is None else options.seconds
    if seconds is None or isinstance(seconds, str):
        return None
    return round(seconds * sampling_rate(dataset, options))


def chunking(dataset: Dataset, options: DataOptions) -> Chunking | None:
    """How records that are longer than a batch are judged; None: by their middle."""
    stride, chunks = window_samples(dataset, options), options.chunks
    if stride is None or chunks is None:
        return None
    if chunks.stride_seconds is not None:
        stride = round(chunks.stride_seconds * sampling_rate(dataset, options))
    return Chunking(stride, chunks.combine)


def _lead_problems(dataset: Dataset, options: DataOptions) -> Iterator[str]:
    if options.leads is None:
        return
    for lead in options.leads:
        if lead not in dataset.leads:
            yield f"leads: there is no {lead!r}; {did_you_mean(lead, dataset.leads)}"
    if len(set(options.leads)) < len(options.leads) or not options.leads:
        yield "leads: name at least one, and each once"


def _filter_problems(dataset: Dataset, options: DataOptions) -> Iterator[str]:
    if options.filter is None:
        return
    nyquist = dataset.sampling_rate / 2
    for name in ("highpass", "lowpass"):
        cutoff = getattr(options.filter, name)
        if cutoff is not None and cutoff >= nyquist:
            yield (
                f"filter.{name}: {cutoff:g} Hz must lie below {nyquist:g} Hz, half the "
                "sampling rate of the recordings"
            )


def _duration_problems(dataset: Dataset, options: DataOptions) -> Iterator[str]:
    if window_samples(dataset, options) == 0:
        rate = sampling_rate(dataset, options)
        yield f"seconds: {options.seconds:g} s is less than a sample at {rate:g} Hz"


def _chunk_problems(dataset: Dataset, options: DataOptions) -> Iterator[str]:
    if options.chunks is None:
        return
    window, rate = window_samples(dataset, options), sampling_rate(dataset, options)
    if window is None:
        yield (
            "chunks: records are taken whole, so there is nothing to cut; set seconds "
            "to the length of a chunk, or leave chunks out"
        )
        return
    seconds = options.chunks.stride_seconds
    if seconds is None:
        return
    given = f"chunks.stride_seconds: {seconds:g} s"
    stride = round(seconds * rate)
    if stride == 0:
        yield f"{given} is less than a sample at {rate:g} Hz"
    if stride > window:
        yield (
            f"{given} would skip signal between windows of {window / rate:g} s; it "
            "must be at most that"
        )
