"""Checkpoints: plain data and tensors, written whole, the last two kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import torch

from harness.cell import Cell
from harness.cost.clock import Clock
from harness.errors import CheckpointError
from harness.files.atomic import (
    TEMPORARY,
    canonical,
    sync_folder,
    write_stream_atomically,
)
from harness.options import Execution
from harness.results.state import source_hashes
from harness.training.distributed import Processes
from harness.training.loops import Loops, Place

NAMES = ("checkpoint.pt", "checkpoint.previous.pt")
UNNAMED = f".checkpoint.new{TEMPORARY}"
CHECKPOINT_VERSION = 3


def checkpoint_key(cell: Cell) -> str:
    """Whose checkpoint it is: of this cell in as many processes, and of plugins with
    this very source.
    """
    key: list[Any] = [CHECKPOINT_VERSION, cell.id, source_hashes(cell)]
    return canonical(key if cell.processes == 1 else [*key, cell.processes])


def save_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Write `state`; the checkpoint before stays as the previous one.

    Raises
    ------
    OSError
        If the disk is full: the earlier checkpoints then still stand.
    """
    newest, previous = (folder / name for name in NAMES)
    # The previous one is given up only once its successor is written.
    written = folder / UNNAMED
    write_stream_atomically(written, lambda stream: torch.save(dict(state), stream))
    if newest.exists():
        newest.replace(previous)
    written.replace(newest)
    sync_folder(folder)


def load_checkpoint(folder: Path, key: str) -> dict[str, Any] | None:
    """The newest undamaged checkpoint with that key, or None.

    Only tensors and plain data are ever unpickled (`weights_only`), so that a
    hostile file can do nothing.
    """
    for name in NAMES:
        state = _read(folder / name)
        if _is_ours(state, key):
            found: dict[str, Any] = state
            return found
    return None


def _read(path: Path) -> Any:
    """What a checkpoint holds; None if it is missing or damaged in any place."""
    try:
        # torch doesn't compare the check sums that it writes: a block that a crash
        # left empty would become weights.
        if not path.is_file():
            return None
        with ZipFile(path) as archive:
            if not _is_stored(archive) or archive.testzip() is not None:
                return None
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - what damaged bytes raise has no common type
        return None


def _is_stored(archive: ZipFile) -> bool:
    """Whether no member is larger than it takes in the file: torch compresses none, and
    a few bytes could unfold into more than there is memory.
    """
    return all(
        i.compress_type == ZIP_STORED and i.file_size == i.compress_size
        for i in archive.infolist()
    )


def _is_ours(state: Any, key: str) -> bool:
    """Whether it is a checkpoint with that key, and has the parts of one."""
    if not isinstance(state, dict) or state.get("key") != key:
        return False
    places, states = state.get("places"), state.get("states")
    return (
        isinstance(places, list)
        and all(isinstance(p, list) and [type(x) for x in p] == _TYPES for p in places)
        and isinstance(states, list)
        and all(isinstance(s, dict) for s in states)
    )


_TYPES = [str, int, int]
"""Of a place: the loop's name, its ordinal and the index."""


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
    processes
        Those that share the cell: the first writes one file for all of them.
    """

    def __init__(
        self,
        folder: Path,
        key: str,
        execution: Execution,
        parts: Mapping[str, Any],
        clock: Clock,
        processes: Processes,
    ) -> None:
        self._folder = folder
        self._key = key
        self._execution = execution
        self._parts = parts
        self._clock = clock
        self._processes = processes
        self._saved_at = time.monotonic()
        self._found = load_checkpoint(folder, key)
        places = self._found["places"] if self._found else []
        if any(other != places for other in processes.gather(places)):
            raise CheckpointError("the processes of the cell read other checkpoints")
        self.loops = Loops(
            [Place(*place) for place in places], self._restore, processes.agree
        )

    def after_epoch(self, last: bool) -> None:
        """A checkpoint, if the last one is old enough or an outermost loop is over."""
        due = last or self._age() >= self._execution.checkpoint_seconds
        if self._processes.agree(due):
            self.save()

    def inside_epoch(self, _: bool) -> None:
        """A checkpoint between batches, where the suite wants such."""
        minutes = self._execution.checkpoint_minutes
        if minutes is None:
            return
        if self._processes.agree(self._age() >= 60 * minutes):
            self.save()

    def _age(self) -> float:
        return time.monotonic() - self._saved_at

    def save(self) -> None:
        """Write a checkpoint of this very place."""
        with self._clock.measure("checkpoint"):
            own = {name: part.state_dict() for name, part in self._parts.items()}
            states = self._processes.collect(own)
            if states is not None:
                places = [[p.name, p.ordinal, p.index] for p in self.loops.open]
                state = {"key": self._key, "places": places, "states": states}
                save_checkpoint(self._folder, state)
        self._saved_at = time.monotonic()

    def _restore(self) -> None:
        assert self._found is not None
        state = self._found["states"][self._processes.rank]
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
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
