"""What comes with the harness beside its code: plugins and suites."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def shipped(what: Literal["plugins", "suites"]) -> Path:
    """Their folder: within the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / f"_{what}"
    return installed if installed.is_dir() else package.parent / what
