"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path

from harness.errors import ConfigError


def expanded(text: str) -> Path:
    """The path, with `~` replaced by a home folder.

    Raises
    ------
    ConfigError
        If it is no path, or names the home of a user who doesn't exist.
    """
    if "\0" in text:
        raise ConfigError(f"{text!r}: is no path")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        user = text.partition("/")[0]
        raise ConfigError(f"{text!r}: the home folder of {user!r} is unknown") from None
