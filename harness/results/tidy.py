"""Finished cells whose process was killed before it could tidy up."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from harness.files.atomic import remove_temporaries
from harness.results.claim import Observer, highest_claim, take_claim
from harness.results.state import RESULT

LEFT = ("checkpoint*.pt", "attempts")
"""What a cell has in its folder only until its result is there."""


def tidy(folder: Path) -> None:
    """Remove what a finished cell needs no more, if nobody is left to do it.

    A folder that can't be written is left as it is; its result can be read.
    """
    # The claim is what goes last.
    if not highest_claim(folder):
        return
    with suppress(OSError):
        claim = take_claim(folder, Observer().is_stale)
        if claim is None:
            return
        if (folder / RESULT).exists():
            for path in [path for pattern in LEFT for path in folder.glob(pattern)]:
                path.unlink()
            remove_temporaries(folder)
        claim.release()
