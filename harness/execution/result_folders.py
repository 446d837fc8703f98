"""Whether results can be written, found out before the first cell."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from harness.errors import ConfigError

LEAST_FREE_BYTES = 256 * 2**20


def check_folder(folder: Path) -> None:
    """Find out before the first cell whether results can be written.

    Raises
    ------
    ConfigError
        If the folder can't be written, or its disk is nearly full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".writable"):
            pass
    except OSError as error:
        raise ConfigError(
            f"results can't be written to {folder}: {error.strerror}; "
            "choose another folder with --runs or --leaderboard"
        ) from None
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise ConfigError(
            f"{folder}: only {free / 2**20:.0f} MiB of disk are free, "
            f"{LEAST_FREE_BYTES / 2**20:.0f} MiB are the least to start with"
        )
