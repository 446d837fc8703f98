"""Reading TOML that somebody else may have written."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.files.atomic import read_limited

LARGEST_FILE = 1 << 22
LONGEST_TEXT, LONGEST_KEY = 10_000, 200
SMALLEST_NUMBER, LARGEST_NUMBER = -(1 << 63), (1 << 63) - 1
"""What the TOML standard asks a reader to take."""


def parse_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ConfigError
        If it can't be read, is no TOML, is nested beyond reason, or holds numbers or
        text that nothing in a suite can mean.
    """
    try:
        content = tomllib.loads(read_limited(path, LARGEST_FILE).decode("utf-8"))
    except FileNotFoundError:
        raise
    except RecursionError:
        raise ConfigError("is nested too deeply", str(path)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"can't be read as TOML: {reason}", str(path)) from None
    problems = list(_unusable(content))
    if problems:
        raise ConfigError(problems, str(path))
    return content


def _unusable(content: dict[str, Any]) -> Iterator[str]:
    """What is wrong with single keys and values, wherever they stand."""
    places: list[tuple[str, Any]] = [("", content)]
    while places:
        where, value = places.pop()
        if isinstance(value, dict):
            for key, item in value.items():
                if len(key) > LONGEST_KEY or _has_control(key):
                    yield f"{where}{key[:40]!r}: is no key: a word on one line"
                    continue
                places.append((f"{where}{key}.", item))
        elif isinstance(value, list):
            places += [(where, item) for item in value]
        elif isinstance(value, str):
            if len(value) > LONGEST_TEXT or _has_control(value):
                yield (
                    f"{where[:-1]}: should be text of one line and at most "
                    f"{LONGEST_TEXT:,} characters, got {value[:40]!r}"
                )
        elif isinstance(value, int) and not (
            SMALLEST_NUMBER <= value <= LARGEST_NUMBER
        ):
            yield f"{where[:-1]}: should be a number of at most 64 bits"


def _has_control(text: str) -> bool:
    return not text.isprintable() and any(
        unicodedata.category(character) == "Cc" for character in text
    )
