"""Two things at a time: what a copy of this process makes while it goes on itself."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Made = TypeVar("Made")

_MANY = 1_000_000
"""Objects between two looks for garbage: a report makes millions, and few in rings."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for garbage seldom: that takes a quarter of the time of a large report."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_MANY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def beside(make: Callable[[], Made]) -> Callable[[], Made]:
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
        except EOFError:
            return make()
        copy.join()
        return found

    return made


def _send(make: Callable[[], Made], to: Connection) -> None:
    # Ctrl-C reaches both processes; the original answers it and ends its copy.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        found = make()
    except Exception:  # noqa: BLE001
        # The original meets it again, and says so.
        return
    to.send(found)
