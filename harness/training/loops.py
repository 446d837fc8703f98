"""Nested loops that can be left anywhere and entered again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.errors import CheckpointError, Interrupted


@dataclass
class Place:
    """Where one open loop is.

    `ordinal` counts the loops begun before it in the same iteration of the loop
    around it. `index` is the iteration under way, or, in a saved place of the
    innermost loop, the number of iterations done.
    """

    name: str
    ordinal: int
    index: int


class Loops:
    """The open loops of a run, and how to come back to where a checkpoint was.

    The rule: what was tracked is restored on entering the innermost loop that the
    checkpoint was in. Code before it is run again, loops that were over are skipped.

    Parameters
    ----------
    saved
        The places of a checkpoint, outermost first; empty for a fresh run.
    restore
        Called once, on entering the innermost saved loop.
    agree
        Turns the wish to stop of this process into one of all that share the cell.

    Attributes
    ----------
    ticks
        Iterations begun and batches judged so far: a run that hangs adds none.
    """

    def __init__(
        self,
        saved: Sequence[Place],
        restore: Callable[[], None],
        agree: Callable[[bool], bool] = bool,
    ) -> None:
        self.open: list[Place] = []
        self.stopping = threading.Event()
        self.ticks = 0
        self._saved = list(saved)
        self._restore = restore
        self._agree = agree
        self._begun = [0]

    @property
    def is_returning(self) -> bool:
        """Whether code runs again that had run before the checkpoint was written, and
        nothing is restored yet.
        """
        return bool(self._saved)

    @property
    def stop_requested(self) -> bool:
        """Whether the run was asked to stop."""
        return self.stopping.is_set()

    @property
    def path(self) -> tuple[str | int, ...]:
        """Names, ordinals and indices of the open loops: a key for random streams."""
        return tuple(x for p in self.open for x in (p.name, p.ordinal, p.index))

    @property
    def indices(self) -> dict[str, int]:
        """The iteration under way of each open loop, by name."""
        return {place.name: place.index for place in self.open}

    def iterate(
        self, name: str, count: Callable[[], int], checkpoint: Callable[[bool], None]
    ) -> Iterator[int]:
        """The indices not yet done.

        Parameters
        ----------
        name
            Of the loop; with its place among its siblings it is the key of resuming.
        count
            Number of iterations; asked after restoring, since it may depend on it.
        checkpoint
            Called after each iteration; True after the last of an outermost loop.

        Raises
        ------
        Interrupted
            Between iterations, if the run was asked to stop.
        CheckpointError
            If the checkpoint was in another loop at this place.
        """
        depth = len(self.open)
        ordinal = self._begun[depth]
        self._begun[depth] += 1
        start = 0
        if self._saved:
            target = self._saved[depth]
            if ordinal < target.ordinal:
                return
            if (name, ordinal) != (target.name, target.ordinal):
                raise CheckpointError(
                    f"the checkpoint was in loop {target.name!r}, but the strategy "
                    f"entered {name!r} there: its code has changed; remove the folder"
                )
            start = target.index
            if depth == len(self._saved) - 1:
                self._saved = []
                self._restore()
        place = Place(name, ordinal, start)
        self.open.append(place)
        self._begun.append(0)
        total = count()
        try:
            for index in range(start, total):
                if self._agree(self.stop_requested):
                    raise Interrupted("asked to stop")
                self.ticks += 1
                place.index = index
                self._begun[depth + 1] = 0
                yield index
                place.index = index + 1
                checkpoint(depth == 0 and index + 1 == total)
        finally:
            self.open.pop()
            self._begun.pop()
