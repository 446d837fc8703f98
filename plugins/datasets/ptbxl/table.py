"""CSV files whose mistakes are reported by file, line and column."""

from __future__ import annotations

import ast
import csv
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
        try:
            return float(self[column] or "nan")
        except ValueError:
            raise self.error(column, "a number") from None

    def integer(self, column: str) -> int:
        """The column as a whole number, which versions write as `15709.0` as well."""
        number = self.number(column)
        if not number.is_integer():
            raise self.error(column, "a whole number")
        return int(number)

    def likelihoods(self, column: str) -> dict[str, float]:
        """The column as a dictionary of statement -> likelihood (%)."""
        try:
            found = {
                str(k): float(v) for k, v in ast.literal_eval(self[column]).items()
            }
        except (ValueError, SyntaxError, TypeError, AttributeError):
            raise self.error(column, "a dictionary like {'NORM': 100.0}") from None
        return found


def read_rows(path: Path, required: Sequence[str], key: str) -> list[Row]:
    """The lines of a CSV file with a header.

    Raises
    ------
    DataError
        If the file is missing or unreadable, lacks a required column, a line has too
        few or too many fields, or a value of the column `key` is empty or repeated.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [c for c in required if c not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}, line 1: no column {', '.join(missing)}")
            rows = [_row(values, path, reader.line_num) for values in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: can't be read ({error})") from error
    seen: set[str] = set()
    for row in rows:
        if not row[key] or row[key] in seen:
            raise row.error(key, "an id that no other line has")
        seen.add(row[key])
    return rows


def _row(values: dict[str, str], path: Path, line: int) -> Row:
    # DictReader marks surplus fields by the key None, missing ones by the value None.
    if None in values or None in values.values():
        raise DataError(f"{path}, line {line}: not as many fields as the header has")
    return Row(values, path, line)
