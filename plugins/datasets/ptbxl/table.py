"""CSV files whose mistakes are reported by file, line and column."""

from __future__ import annotations

import csv
import math
import re
from typing import TYPE_CHECKING

from harness import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Row(dict[str, str]):
    """One line of a CSV file, by column."""

    def __init__(self, values: dict[str, str], path: Path, line: int) -> None:
        super().__init__(values)
        self._where = f"{path}, line {line}"

    def error(self, column: str, expected: str) -> DataError:
        """What to raise where the column holds something else than expected."""
        return DataError(
            f"{self._where}, column {column}: {self[column]!r} found, {expected} "
            "expected"
        )

    def number(self, column: str) -> float:
        """The column as a number; NaN where it's empty."""
        if not self[column]:
            return math.nan
        # Stricter than float(), for which 1_0 and infinity are numbers too.
        if not _NUMBER.fullmatch(self[column]):
            raise self.error(column, "a number")
        return float(self[column])

    def integer(self, column: str) -> int:
        """The column as a whole number, which versions write as `15709.0` as well."""
        number = self.number(column)
        if not number.is_integer():
            raise self.error(column, "a whole number")
        return int(number)

    def likelihoods(self, column: str) -> dict[str, float]:
        """The column as a dictionary of statement -> likelihood (%)."""
        expected = "a dictionary like {'NORM': 100.0}"
        if not _DICTIONARY.fullmatch(self[column]):
            raise self.error(column, expected)
        pairs = _ITEM.findall(self[column])
        found = {code: float(likelihood) for code, likelihood in pairs}
        if len(found) < len(pairs) or any(x > 100 for x in found.values()):
            raise self.error(column, f"{expected}, each statement once, 0 to 100")
        return found


_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{0,20})?")
_ITEM = re.compile(r"'([^'\\]{1,40})': ?(\d{1,3}(?:\.\d{0,20})?)", re.ASCII)
_DICTIONARY = re.compile(rf"\{{(?:{_ITEM.pattern}(?:, ?(?!\}})|(?=\}})))*\}}", re.ASCII)
"""As the publishers write it. It is matched, never evaluated."""


def read_rows(path: Path, required: Sequence[str], key: str) -> list[Row]:
    """The lines of a CSV file with a header.

    Raises
    ------
    DataError
        If the file is missing or unreadable, lacks a required column, a line has too
        few or too many fields, or a value of the column `key` is empty or repeated.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: can't be read (no regular file)")
    try:
        # Spreadsheets put a byte order mark before what they export.
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            names = reader.fieldnames or ()
            twice = sorted({c for c in required if names.count(c) > 1})
            if twice:
                raise DataError(f"{path}, line 1: two columns {', '.join(twice)}")
            missing = [c for c in required if c not in names]
            if missing:
                raise DataError(f"{path}, line 1: no column {', '.join(missing)}")
            rows = [_row(values, path, reader.line_num) for values in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: can't be read ({error})") from error
    seen: set[str] = set()
    for row in rows:
        if not row[key].strip() or row[key] in seen or not row[key].isprintable():
            raise row.error(key, "an id that no other line has")
        seen.add(row[key])
    return rows


def _row(values: dict[str, str], path: Path, line: int) -> Row:
    # DictReader marks surplus fields by the key None, missing ones by the value None.
    if None in values or None in values.values():
        raise DataError(f"{path}, line {line}: not as many fields as the header has")
    return Row(values, path, line)
