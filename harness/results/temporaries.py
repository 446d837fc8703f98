"""Files that have not got their names yet; nobody reads them."""

from __future__ import annotations

import hashlib
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.results.holder import is_alive, machine, this_process

TEMPORARY = ".tmp"
"""How the name of such a file ends; it begins with a dot."""

_RANDOM = "[^.]*"


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

    Only who holds the folder may: another writer's file would be removed as well.
    """
    for path in folder.rglob(f".*{TEMPORARY}"):
        with suppress(OSError):
            path.unlink()


def _remove_abandoned(path: Path) -> None:
    here = machine()
    known = re.compile(
        rf"\.{re.escape(path.name)}\.{_short(here)}-(\d{{1,9}})-(\d{{1,15}})\."
        rf"{_RANDOM}{re.escape(TEMPORARY)}"
    )
    for other in path.parent.iterdir():
        if match := known.fullmatch(other.name):
            owner = {"machine": here, "pid": int(match[1]), "started": float(match[2])}
            if is_alive(owner) is False:
                other.unlink(missing_ok=True)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
