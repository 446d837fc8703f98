"""Where the harness keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_root() -> Path:
    """The cache folder: `HARNESS_CACHE`, or the platform's own place for caches.

    Below it are `index/` (summaries of record indices), `prepared/` (decoded,
    filtered and resampled records) and `generated/` (synthetic recordings). All of it
    may be deleted at any time when nothing runs.
    """
    chosen = os.environ.get("HARNESS_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("ecg-harness")
