"""The thread in which a worker shows that it lives, and how far it has come."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from harness.errors import Interrupted
from harness.execution.failure import one_line
from harness.results.claim import Claim

BEAT_SECONDS = 0.5


class Heart:
    """Beats while the cell runs, and notices when it should stop.

    Attributes
    ----------
    progress
        Asked what the cell is at, for people.
    ticks
        Asked for a number that grows as long as the cell gets on.

    Parameters
    ----------
    claim
        Of the cell's folder, where the beats are written.
    stop
        Called once the worker works for nobody: its parent is gone, or another
        process has overtaken the claim.
    parent
        Process number of whoever waits for the worker.
    also
        What else is to be done at each beat.
    """

    def __init__(
        self,
        claim: Claim,
        stop: Callable[[], None],
        parent: int,
        also: Sequence[Callable[[], None]] = (),
    ) -> None:
        self.progress: Callable[[], str] = lambda: "starting"
        self.ticks: Callable[[], int] = lambda: 0
        self._claim = claim
        self._stop = stop
        self._parent = parent
        self._also = also
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def _run(self) -> None:
        counter = 0
        while not self._over.wait(BEAT_SECONDS):
            counter += 1
            # Neither a full disk nor a plugin may end the thread: the next beat may
            # pass.
            with suppress(Exception):
                self._claim.beat(counter, one_line(self.progress()), self.ticks())
            for look in self._also:
                with suppress(Exception):
                    look()
            # A worker whose parent was killed would hold the cell for nobody.
            if os.getppid() != self._parent or not self._claim.is_held:
                self._stop()

    def check(self) -> None:
        """Make sure that the cell is still this process's own.

        Raises
        ------
        Interrupted
            If another process has overtaken the claim.
        """
        if not self._claim.is_held:
            raise Interrupted("another process has taken the cell over")

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()
