"""Files that have not got their names yet; nobody reads them."""

from __future__ import annotations

import glob
import hashlib
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.results.holder import is_alive, machine, this_process

TEMPORARY = ".tmp"
"""How the name of such a file ends; it begins with a dot."""

_OWNED = re.compile(r"\..*\.([0-9a-f]{8})-(\d{1,9})-(\d{1,15})\.[^.]*\.tmp")
_CLAIM = ".claim-"


def new_temporary(path: Path) -> tuple[int, Path]:
    """An open file beside `path`, to be renamed to it.

    Its name tells whose it is. Those for the same `path` whose processes were killed
    are removed: they may be large, and nobody else ever would.

    Raises
    ------
    OSError
        If the folder can't be written.
    """
    with suppress(OSError):
        _remove_abandoned(path)
    process = this_process()
    owner = f"{_short(machine())}-{process['pid']}-{process['started']:.0f}"
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.{owner}.", suffix=TEMPORARY
    )
    return handle, Path(name)


def remove_temporaries(folder: Path) -> None:
    """Remove what a killed process had not finished to write in a folder.

    Only who holds the folder may. Those who want it write a claim meanwhile: what a
    process writes that may still live is let be.
    """
    for path in folder.rglob(f".*{TEMPORARY}"):
        owner = _owner(path.name)
        alive = is_alive(owner) if owner else None
        wanted = path.name.startswith(_CLAIM)
        if alive is False or (alive is None and not wanted):
            with suppress(OSError):
                path.unlink()


def _remove_abandoned(path: Path) -> None:
    for other in path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY}"):
        owner = _owner(other.name)
        if owner and is_alive(owner) is False:
            other.unlink(missing_ok=True)


def _owner(name: str) -> dict[str, Any] | None:
    """Who writes the file of that name; None if nobody of this machine."""
    match = _OWNED.fullmatch(name)
    here = machine()
    if match is None or match[1] != _short(here):
        return None
    return {"machine": here, "pid": int(match[2]), "started": float(match[3])}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
