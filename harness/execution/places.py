"""Where cells may run at a time: cores, or GPUs that they are pinned to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cell import Cell
from harness.errors import ConfigError
from harness.execution.hardware import usable_cores, usable_gpus


@dataclass(frozen=True)
class Request:
    """What a command asks for.

    Attributes
    ----------
    workers
        Cells at a time; None: as many as there is room for.
    per_device
        Cells that share a GPU; None: one, or what `workers` comes to.
    device
        `auto` takes the GPUs, if there are any; or `cpu`, or `cuda`.
    """

    workers: int | None = None
    per_device: int | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Place:
    """What a cell has while it runs: its GPUs, or none on the CPU."""

    gpus: tuple[str, ...] = ()


class Places:
    """The free places of this machine.

    Parameters
    ----------
    most
        Cells at a time.
    gpus
        Indices of the GPUs; none: cells run on the CPU.
    per_gpu
        Cells that may share a GPU.
    """

    def __init__(self, most: int, gpus: Sequence[str] = (), per_gpu: int = 1) -> None:
        self.most = most
        self.gpus = tuple(gpus)
        self.per_gpu = per_gpu
        self._taken = 0
        self._on = dict.fromkeys(self.gpus, 0)

    def take(self, processes: int) -> Place | None:
        """A place for a cell, with a GPU for each of its processes; None: not now."""
        if self._taken == self.most:
            return None
        if not self.gpus:
            self._taken += 1
            return Place()
        free = [gpu for gpu in self.gpus if self._on[gpu] < self.per_gpu]
        if len(free) < processes:
            return None
        # The emptiest first; of equals, the first.
        chosen = sorted(free, key=lambda gpu: self._on[gpu])[:processes]
        for gpu in chosen:
            self._on[gpu] += 1
        self._taken += 1
        return Place(tuple(chosen))

    def give_back(self, place: Place) -> None:
        """The cell is over."""
        self._taken -= 1
        for gpu in place.gpus:
            self._on[gpu] -= 1


def find_places(
    request: Request, cells: Sequence[Cell], gpus: Sequence[str], cores: int
) -> Places:
    """Where cells may run, as the command and the machine allow.

    Parameters
    ----------
    cells
        Those that are to run.
    gpus, cores
        What the machine has.

    Raises
    ------
    ConfigError
        If the machine can't run the cells so.
    """
    processes = max([cell.processes for cell in cells], default=1)
    if request.device == "cuda" and not gpus:
        raise ConfigError("--device cuda: no NVIDIA GPU was found")
    if request.device == "cpu" or not gpus:
        return _on_cpu(request, cells, cores)
    if processes > len(gpus):
        raise ConfigError(
            f"[execution] processes = {processes}, but there are {len(gpus)} GPUs: "
            "each process needs one of its own; --device cpu runs them on the cores"
        )
    if request.workers is None:
        per_gpu = request.per_device or 1
        return Places(len(gpus) * per_gpu, gpus, per_gpu)
    per_gpu = math.ceil(request.workers * processes / len(gpus))
    return Places(request.workers, gpus, per_gpu)


def _on_cpu(request: Request, cells: Sequence[Cell], cores: int) -> Places:
    if request.per_device is not None:
        raise ConfigError(
            "--per-device says how many cells share a GPU, but they run on the CPU "
            "here; --workers says how many run at a time"
        )
    needed = max([cell.processes * cell.budget.threads for cell in cells], default=1)
    return Places(request.workers or max(1, cores // needed))


def places_for(cells: Sequence[Cell], request: Request) -> Places:
    """Where on this machine the cells would run.

    Raises
    ------
    ConfigError
        If the machine can't run them as the command asks.
    """
    gpus = [] if request.device == "cpu" else usable_gpus()
    return find_places(request, cells, gpus, usable_cores())
