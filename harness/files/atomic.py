"""Files that are there whole or not at all.

Until then they have names that nobody reads; what a kill left of them is removed.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from harness.files.process_id import is_alive, machine, this_process


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = new_temporary(path)
    except OSError as error:
        raise _about(path, error) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files private; results are meant to be shared.
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        refused = _os_error(error)
        if refused is None:
            raise
        raise _about(path, refused) from error
    sync_folder(path.parent)


def _os_error(error: BaseException | None) -> OSError | None:
    """What the system said; a library may have made another error of it since."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error


def _about(path: Path, error: OSError) -> OSError:
    """The same error, of the file that was to be written: a full disk names none."""
    return OSError(error.errno, error.strerror, str(path))


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some shared file systems do it by themselves, and refuse to be asked.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
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


def read_limited(path: Path, most: int) -> bytes:
    """The content of a regular file of at most so many bytes.

    Raises
    ------
    OSError
        If it can't be read, or is no regular file: a pipe could hang its reader, a
        device feed it without end.
    ValueError
        If it is larger.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"holds more than {most:,} bytes")
    return content


LARGEST_JSON = 1 << 26
"""Bytes: a result of ten thousand bad records needs a fiftieth of it."""


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is no JSON, is nested beyond reason, or holds what JSON's readers
        disagree on: a key twice, NaN, half of a surrogate pair.
    """
    return parse_json(read_limited(path, LARGEST_JSON).decode("utf-8"))


def parse_json(text: str) -> Any:
    """The value of a JSON text; raises ValueError as `read_json`."""
    try:
        value = _DECODER.decode(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is no number")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


# Made once: that takes longer than to read a line of a history.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)


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
