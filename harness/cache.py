"""Where the harness keeps what it can make again."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from harness.files.atomic import canonical, read_json, write_atomically
from harness.files.paths import expanded


def cache_root() -> Path:
    """The cache folder: `HARNESS_CACHE`, or the platform's own place for caches.

    Below it are `index/` (summaries of record indices), `prepared/` (decoded,
    filtered and resampled records) and `generated/` (synthetic recordings). All of it
    may be deleted at any time when nothing runs.
    """
    chosen = os.environ.get("HARNESS_CACHE")
    return expanded(chosen) if chosen else user_cache_path("ecg-harness")


def recall(path: Path) -> dict[str, Any] | None:
    """What `remember` wrote; None if there is nothing, or it has changed since."""
    try:
        found = read_json(path)
        value: dict[str, Any] = found["value"]
        return value if found["hash"] == _hash(value) else None
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return None


def remember(path: Path, value: dict[str, Any]) -> None:
    """Keep plain data, with a hash by which it is known to be whole.

    Raises
    ------
    OSError
        If it can't be written.
    """
    # Not sorted: the order of a plugin's parameters is part of what is kept.
    text = json.dumps({"hash": _hash(value), "value": value}, allow_nan=False)
    write_atomically(path, text)


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
