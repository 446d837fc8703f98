"""Checkpoints: plain data and tensors, written whole, the last two kept."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from harness.cell import Cell
from harness.cost.clock import Clock
from harness.errors import CheckpointError
from harness.options import Execution
from harness.results.files import canonical, write_stream_atomically
from harness.results.state import source_hashes
from harness.training.loops import Loops, Place

NAMES = ("checkpoint.pt", "checkpoint.previous.pt")


def checkpoint_key(cell: Cell) -> str:
    """Whose checkpoint it is: of this cell, and of plugins with this very source."""
    return canonical([cell.id, source_hashes(cell)])


def save_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Write `state`; the checkpoint before stays as the previous one.

    Raises
    ------
    OSError
        If the disk is full: the earlier checkpoints then still stand.
    """
    newest, previous = (folder / name for name in NAMES)
    if newest.exists():
        newest.replace(previous)
    write_stream_atomically(newest, lambda stream: torch.save(dict(state), stream))


def load_checkpoint(folder: Path, key: str) -> dict[str, Any] | None:
    """The newest readable checkpoint with that key, or None.

    Only tensors and plain data are ever unpickled (`weights_only`), so that a
    hostile file can do nothing.
    """
    for name in NAMES:
        try:
            state = torch.load(folder / name, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
            continue
        if isinstance(state, dict) and state.get("key") == key:
            return state
    return None


def remove_checkpoints(folder: Path) -> None:
    """Free the space once the result is there."""
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)


class Saver:
    """Writes checkpoints of a run's parts, and restores them where the loops say.

    Parameters
    ----------
    folder, key
        Where checkpoints lie, and whose they must be (`checkpoint_key`).
    execution
        How often to write them.
    parts
        Objects with `state_dict` and `load_state_dict`, by name.
    """

    def __init__(
        self,
        folder: Path,
        key: str,
        execution: Execution,
        parts: Mapping[str, Any],
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._key = key
        self._execution = execution
        self._parts = parts
        self._clock = clock
        self._saved_at = time.monotonic()
        self._found = load_checkpoint(folder, key)
        places = self._found["places"] if self._found else []
        self.loops = Loops([Place(*place) for place in places], self._restore)

    def after_epoch(self, last: bool) -> None:
        """A checkpoint, if the last one is old enough or an outermost loop is over."""
        if last or self._age() >= self._execution.checkpoint_seconds:
            self.save()

    def inside_epoch(self, _: bool) -> None:
        """A checkpoint between batches, where the suite wants such."""
        minutes = self._execution.checkpoint_minutes
        if minutes is not None and self._age() >= 60 * minutes:
            self.save()

    def _age(self) -> float:
        return time.monotonic() - self._saved_at

    def save(self) -> None:
        """Write a checkpoint of this very place."""
        with self._clock.measure("checkpoint"):
            state: dict[str, Any] = {
                name: part.state_dict() for name, part in self._parts.items()
            }
            state["key"] = self._key
            state["places"] = [[p.name, p.ordinal, p.index] for p in self.loops.open]
            save_checkpoint(self._folder, state)
        self._saved_at = time.monotonic()

    def _restore(self) -> None:
        assert self._found is not None
        for name, part in self._parts.items():
            part.load_state_dict(self._found[name])
        self._found = None


class Tracked:
    """A strategy's own state, by name: what a checkpoint holds of it.

    Anything with `state_dict` and `load_state_dict`, a tensor, a list or a dict; they
    are restored in place, so that references to them stay good.
    """

    def __init__(self) -> None:
        self._items: dict[str, Any] = {}
        self._unclaimed: dict[str, Any] = {}

    def add(self, name: str, item: Any) -> None:
        """Track one item.

        Raises
        ------
        CheckpointError
            If it can't be restored in place (a number, a string, a tuple).
        """
        stateful = hasattr(item, "state_dict") and hasattr(item, "load_state_dict")
        if not stateful and not isinstance(item, torch.Tensor | list | dict):
            raise CheckpointError(
                f"run.track({name}=...): a {type(item).__name__} can't be restored in "
                "place; put it into a dict, a list or a tensor"
            )
        self._items[name] = item
        if name in self._unclaimed:
            _restore(item, self._unclaimed.pop(name))

    def begin(self, name: str, item: Any) -> None:
        """Track an item that begins anew, whatever a checkpoint holds of its name."""
        self._unclaimed.pop(name, None)
        self._items[name] = item

    def state_dict(self) -> dict[str, Any]:
        """The state of every item, those included that are still to come again."""
        return self._unclaimed | {
            name: item.state_dict() if hasattr(item, "state_dict") else item
            for name, item in self._items.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore every item in place.

        Raises
        ------
        CheckpointError
            If an item was not tracked when the checkpoint was written.
        """
        missing = sorted(set(self._items) - set(state))
        if missing:
            raise CheckpointError(f"the checkpoint holds no {missing[0]!r}")
        for name, item in self._items.items():
            _restore(item, state[name])
        # What is tracked only later on, as an optimizer in an outer loop, is restored
        # when it comes.
        self._unclaimed = {k: v for k, v in state.items() if k not in self._items}


def _restore(item: Any, saved: Any) -> None:
    if hasattr(item, "load_state_dict"):
        item.load_state_dict(saved)
    elif isinstance(item, torch.Tensor):
        with torch.no_grad():
            item.copy_(saved)
    elif isinstance(item, list):
        item[:] = saved
    else:
        item.clear()
        item.update(saved)
