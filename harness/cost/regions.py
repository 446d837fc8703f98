"""Nested stretches of a run, of which only the innermost is at work."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _get_current_dispatch_mode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.cost.flop_counter import FlopCounter


@dataclass
class Region:
    """A stretch of the run, with FLOPs that are its own and no inner region's.

    Attributes
    ----------
    modes
        Dispatch modes that are on while it's the innermost; without them nothing is
        counted, and it costs next to nothing.
    counted, metered
        FLOPs at the dispatcher, and by the hooks on watched modules.
    blind
        Operations met that can't be counted.
    """

    kind: Literal["step", "outside", "paused"]
    name: str = ""
    modes: tuple[TorchDispatchMode, ...] = ()
    counted: int = 0
    metered: int = 0
    blind: set[str] = field(default_factory=set)


class Regions:
    """The stack of open regions.

    Parameters
    ----------
    counter
        The counter that regions with modes have among them.
    metered
        Gives the FLOPs metered so far.
    closed
        Called with a region, FLOPs counted and FLOPs metered, whenever it stops
        being the innermost.
    """

    def __init__(
        self,
        counter: FlopCounter,
        metered: Callable[[], int],
        closed: Callable[[Region, int, int], None],
    ) -> None:
        self._counter = counter
        self._metered = metered
        self._closed = closed
        self._stack: list[Region] = []
        self._entered: list[TorchDispatchMode] = []
        self._from = (0, 0)

    @property
    def kind(self) -> str:
        """Kind of the innermost region; empty outside of all."""
        return self._stack[-1].kind if self._stack else ""

    @contextmanager
    def inside(self, region: Region) -> Iterator[Region]:
        """Make a region the innermost one."""
        if self._stack:
            self._suspend()
        self._stack.append(region)
        self._resume()
        try:
            yield region
        finally:
            self._suspend()
            self._stack.pop()
            if self._stack:
                self._resume()

    def flush(self) -> None:
        """Report the innermost region's work so far, and go on with it."""
        if self._stack:
            self._suspend()
            self._resume()

    def restart(self) -> None:
        """Go on from new figures of `metered`, without a report of the change."""
        self._mark()

    def _mark(self) -> None:
        if self._stack and self._stack[-1].modes:
            self._from = (self._counter.flops, self._metered())
            self._counter.blind.clear()

    def _resume(self) -> None:
        for mode in self._stack[-1].modes:
            if mode not in self._entered:
                mode.__enter__()  # type: ignore[no-untyped-call]
                self._entered.append(mode)
        self._mark()

    def _suspend(self) -> None:
        region = self._stack[-1]
        for mode in reversed(region.modes):
            # Below somebody else's mode it can't be left; it goes on unread.
            if _get_current_dispatch_mode() is mode:
                mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
                self._entered.remove(mode)
        counted = metered = 0
        if region.modes:
            counted = self._counter.flops - self._from[0]
            metered = self._metered() - self._from[1]
            region.blind |= self._counter.blind
        region.counted += counted
        region.metered += metered
        self._closed(region, counted, metered)
