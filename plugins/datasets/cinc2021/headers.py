"""What a header of the Challenge says of a record beside its signals."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import DataError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_HEADER = 1 << 20
"""Characters."""
OLDEST = 120
"""Years."""

SEXES = {"male": 0.0, "m": 0.0, "female": 1.0, "f": 1.0}
NO_DIAGNOSIS = ("", "unknown", "nan")

# `#Dx: 1,2` as first distributed, `# Dx: 1,2` since the Challenge's version 1.0.
_COMMENT = re.compile(r"#[ \t]*(age|sex|dx)[ \t]*:(.*)", re.IGNORECASE)
_CODE = re.compile(r"[0-9]{6,18}")
_AGE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{0,9})?")


@dataclass(frozen=True)
class Comments:
    """The comments of one header.

    Attributes
    ----------
    codes
        SNOMED codes of the diagnoses, each once; empty where there is no diagnosis.
    age
        Years, NaN where no number from 0 to 120 is given.
    sex
        0 male, 1 female, NaN where it is neither.
    """

    codes: tuple[str, ...]
    age: float
    sex: float


def read_comments(path: Path) -> Comments:
    """The comments of a header, whatever its style.

    Raises
    ------
    DataError
        If the file can't be read, a comment is there twice, or diagnoses are no
        SNOMED codes.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(_text(path).split("\n"), start=1):
        comment = _COMMENT.fullmatch(line.strip())
        if comment is None:
            continue
        key, value = comment[1].lower(), comment[2].strip()
        where = f"{path}, line {number}"
        if key in found:
            raise DataError(f"{where}: a second comment {comment[1]}")
        if key == "dx":
            _check_codes(value, where)
        found[key] = value
    return Comments(
        codes=_codes(found.get("dx", "")),
        age=_age(found.get("age", "")),
        sex=SEXES.get(found.get("sex", "").lower(), math.nan),
    )


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{path}: can't be read (no regular file)")
    try:
        # In Latin-1 every byte is a character, and what is looked for is ASCII.
        with path.open(encoding="latin-1") as file:
            text = file.read(LARGEST_HEADER + 1)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error})") from error
    if len(text) > LARGEST_HEADER:
        raise DataError(f"{path}: is too large for a header")
    return text


def _codes(value: str) -> tuple[str, ...]:
    if value.lower() in NO_DIAGNOSIS:
        return ()
    return tuple(dict.fromkeys(code.strip() for code in value.split(",")))


def _check_codes(value: str, where: str) -> None:
    for code in _codes(value):
        if not _CODE.fullmatch(code):
            raise DataError(
                f"{where}: the diagnosis {code[:80]!r} is no SNOMED code; expected "
                "codes with commas between them, as in Dx: 426783006,164934002"
            )


def _age(value: str) -> float:
    age = float(value) if _AGE.fullmatch(value) else math.nan
    return age if age <= OLDEST else math.nan
