"""Commands as a person types them, in a folder outside of the repository."""

from __future__ import annotations

from pathlib import Path

from commands_here import run


def run_harness(folder: Path, *arguments: str) -> str:
    """What a command says that must succeed; recordings are looked for in `data/`."""
    return run(*arguments, cwd=folder, HARNESS_DATA=str(folder / "data"))
