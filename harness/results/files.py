"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content`, so that no reader or crash ever sees a part of it.

    Raises
    ------
    OSError
        If the disk is full or the folder can't be written; `path` is then as before.
    """
    raw = content.encode() if isinstance(content, str) else content
    write_stream_atomically(path, lambda stream: stream.write(raw))


def write_stream_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """As `write_atomically`, for a writer that takes an open binary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files private; results are meant to be shared.
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        # A full disk names no file by itself.
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def to_json(value: Any) -> str:
    """Stable, readable JSON: sorted keys, no NaN, a newline at the end."""
    text = json.dumps(
        value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    return text + "\n"


def canonical(value: Any) -> str:
    """The one JSON text of a value, for hashing."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is no JSON.
    """
    return json.loads(path.read_text(encoding="utf-8"))
