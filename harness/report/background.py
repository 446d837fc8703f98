"""Two things at a time: what a copy of this process makes while it goes on itself."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Made = TypeVar("Made")


def in_background(make: Callable[[], Made]) -> Callable[[], Made]:
    """Have something made by a copy of this process, which starts at once.

    Parameters
    ----------
    make
        Depends on nothing that this process does later; what it gives can be pickled.

    Returns
    -------
    callable
        Waits for what the copy made. It is made here, and then, where there can be no
        copy, or it came to nothing.
    """
    # A lock that another thread holds would never be let go in the copy.
    if sys.platform != "linux" or threading.active_count() > 1:
        return make
    from multiprocessing import get_context

    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    copy = context.Process(target=_send, args=(make, theirs), daemon=True)
    try:
        copy.start()
    except OSError:
        return make
    finally:
        theirs.close()

    def made() -> Made:
        try:
            found: Made = ours.recv()
        except (EOFError, OSError):
            return make()
        finally:
            copy.join()
        return found

    return made


def _send(make: Callable[[], Made], to: Connection) -> None:
    # Ctrl-C reaches both processes; the original answers it and ends its copy.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever goes wrong, the original meets it again, and says so.
    with suppress(Exception):
        to.send(make())
