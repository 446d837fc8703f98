"""What a WFDB header declares, read strictly, so that nothing in it is guessed.

wfdb leaves out characters that it doesn't know, takes a missing gain for 200, ignores
what follows the last field that it understands, and believes the number of samples.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from harness.errors import DataError
from harness.files.atomic import read_limited

LARGEST_HEADER = 1 << 20
"""Bytes: 256 signals with long comments need a tenth of it."""

SAMPLE_BYTES = {
    "8": Fraction(1),
    "16": Fraction(2),
    "24": Fraction(3),
    "32": Fraction(4),
    "61": Fraction(2),
    "80": Fraction(1),
    "160": Fraction(2),
    "212": Fraction(3, 2),
    "310": Fraction(4, 3),
    "311": Fraction(4, 3),
}
"""Bytes of a sample, by format; compressed formats are not read."""

_RECORD = re.compile(
    r"(?P<name>[-\w]+)(?P<segments>/\d+)?"
    r"\s+(?P<signals>\d{1,4})"
    r"\s+(?P<rate>\d{1,9}(?:\.\d{0,12})?)(?:/\S+)?"
    r"(?:\s+(?P<samples>\d{1,15}))?(?:\s+\S+){0,2}",
    re.ASCII,
)
_SIGNAL = re.compile(
    r"(?P<file>[-\w]+\.?\w*)"
    r"\s+(?P<format>\d{1,4})(?:x(?P<frame>\d{1,4}))?(?::(?P<skew>\d{1,9}))?"
    r"(?:\+(?P<offset>\d{1,12}))?"
    r"\s+(?P<gain>-?\d+(?:\.\d*)?(?:e[+-]?\d{1,3})?)"
    r"(?:\((?P<baseline>-?\d{1,10})\))?(?:/(?P<units>\S{1,20}))?"
    r"(?:\s+\d{1,3}(?:\s+(?P<zero>-?\d{1,10})(?:\s+(?P<initial>-?\d{1,10})"
    r"(?:\s+(?P<checksum>-?\d{1,6})(?:\s+\d{1,9}(?:\s+(?P<name>\S.*))?)?)?)?)?)?",
    re.ASCII,
)


@dataclass(frozen=True)
class SignalLine:
    """One signal of a record.

    Attributes
    ----------
    file
        Its file's name, in the header's own folder.
    format
        WFDB storage format, a key of `SAMPLE_BYTES`.
    offset
        Bytes before the first sample.
    gain, units
        Digital units a physical unit, and that unit's name.
    initial, checksum
        First sample and 16-bit sum of all, 0 where the header doesn't say.
    name
        The lead.
    """

    file: str
    format: str
    offset: int
    gain: float
    units: str
    initial: int
    checksum: int
    name: str


@dataclass(frozen=True)
class Header:
    """A record of one segment; `samples` is None where the file's size says it."""

    rate: float
    samples: int | None
    signals: tuple[SignalLine, ...]


def read_header(path: Path) -> Header:
    """The header of the record at `path`, which has no suffix.

    Raises
    ------
    DataError
        If it is missing or not to be understood without guessing, or declares other
        samples than the signal files hold.
    """
    file = path.with_name(f"{path.name}.hea")
    try:
        raw = read_limited(file, LARGEST_HEADER)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable WFDB record ({error})") from error
    try:
        # Old headers have the micro sign in Latin-1.
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise DataError(f"{file}: is empty")
    header = _header(lines, file, path.name)
    _check_sizes(header, file)
    return header


def _header(lines: Sequence[tuple[int, str]], file: Path, name: str) -> Header:
    number, first = lines[0]
    found = _RECORD.fullmatch(first)
    if found is None:
        raise DataError(f"{file}, line {number}: no WFDB record line: {first[:80]!r}")
    if found["segments"]:
        raise DataError(f"{file}: records of several segments are not read")
    if found["name"] != name:
        raise DataError(f"{file}, line {number}: is of the record {found['name']!r}")
    signals = tuple(_signal(line, file, n) for n, line in lines[1:])
    others = [s.file for s in signals if s.file.partition(".")[0] != name]
    if others:
        raise DataError(f"{file}: the signal file {others[0]} is another record's")
    if int(found["signals"]) != len(signals) or not signals:
        raise DataError(
            f"{file}, line {number}: declares {int(found['signals'])} signals, "
            f"{len(signals)} are described"
        )
    samples = None if found["samples"] is None else int(found["samples"])
    return Header(float(found["rate"]), samples, signals)


def _signal(line: str, file: Path, number: int) -> SignalLine:
    where = f"{file}, line {number}"
    found = _SIGNAL.fullmatch(line)
    if found is None:
        raise DataError(f"{where}: no WFDB signal line: {line[:80]!r}")
    if found["format"] not in SAMPLE_BYTES:
        raise DataError(f"{where}: format {found['format']} is not read")
    if int(found["frame"] or 1) != 1 or int(found["skew"] or 0) != 0:
        raise DataError(f"{where}: several samples a frame, or skew, are not read")
    gain = float(found["gain"])
    if not 0 < gain < math.inf:
        raise DataError(f"{where}: gain {found['gain']}, a number above 0 expected")
    return SignalLine(
        file=found["file"],
        format=found["format"],
        offset=int(found["offset"] or 0),
        gain=gain,
        units=found["units"] or "mV",
        initial=int(found["initial"] or 0),
        checksum=int(found["checksum"] or 0),
        name=found["name"] or "",
    )


def _check_sizes(header: Header, file: Path) -> None:
    """Before anything is allocated: the samples declared are those that are there."""
    for name in dict.fromkeys(signal.file for signal in header.signals):
        members = [s for s in header.signals if s.file == name]
        if len({(s.format, s.offset) for s in members}) > 1:
            raise DataError(f"{file}: signals in {name} differ in format or offset")
        stored = _size(file.with_name(name), file) - members[0].offset
        width = SAMPLE_BYTES[members[0].format]
        if header.samples is None:
            held = math.floor(stored / width)
            if stored < 0 or held % len(members):
                raise DataError(f"{file}: {name} holds no whole number of samples")
            continue
        needed = math.ceil(header.samples * len(members) * width)
        # Packed formats may fill up their last group of samples.
        spare = 0 if width.denominator == 1 else 4
        if not needed <= stored <= needed + spare:
            raise DataError(
                f"{file}: declares {header.samples} samples, {needed} bytes, "
                f"but {name} holds {stored}"
            )


def _size(path: Path, header: Path) -> int:
    if not path.is_file():
        raise DataError(f"{header}: no file {path.name}")
    return path.stat().st_size
