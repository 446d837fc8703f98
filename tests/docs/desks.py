"""Commands as a person types them, in a folder outside of the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_harness(folder: Path, *arguments: str) -> str:
    """Standard output of a command that must succeed.

    The cache is `cache/` in the folder, recordings are looked for in `data/`.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HARNESS_")}
    environment |= {
        "HARNESS_CACHE": str(folder / "cache"),
        "HARNESS_DATA": str(folder / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
