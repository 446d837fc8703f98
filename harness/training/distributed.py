"""The processes that share each batch of a cell, and what they tell one another.

There is no wrapper around the model: a rank that has nothing to train on could not
take part in its forward. Instead every exchange is named, and a process without
samples follows the others through theirs. Processes that come apart therefore end
with an error, not in a wait without end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import IntEnum, auto
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

from harness.errors import CellError, PluginError


class Exchange(IntEnum):
    """What an exchange between the processes is for."""

    ENTER = auto()
    COUNT = auto()
    STEP = auto()
    LEAVE = auto()
    AGREE = auto()
    GATHER = auto()
    FOLLOW = auto()


_LED = {Exchange.COUNT, Exchange.STEP, Exchange.LEAVE}
"""What a process without samples can take part in."""


class Processes:
    """The process among its peers; a single one has nobody to ask.

    Attributes
    ----------
    rank
        From 0; the process of rank 0 writes the cell's files.
    count
        How many there are.

    Raises
    ------
    CellError
        If there are more or fewer than the cell asks for.
    """

    def __init__(self, accelerator: Accelerator, asked_for: int) -> None:
        self.rank: int = accelerator.process_index
        self.count: int = accelerator.num_processes
        self._accelerator = accelerator
        if self.count != asked_for:
            raise CellError(
                f"processes = {asked_for}, but the cell runs in {self.count}"
            )
        # Numbers and files' contents go through main memory, whatever gradients take.
        self._group: Any = None
        if self.count > 1:
            self._group = torch.distributed.new_group(backend="gloo")

    @property
    def is_main(self) -> bool:
        """Whether this process writes the cell's files."""
        return self.rank == 0

    @property
    def devices(self) -> list[torch.device]:
        """The device of each process."""
        own = self._accelerator.device
        if own.type == "cpu" or self.count == 1:
            return [own]
        return [torch.device(own.type, i) for i in range(self.count)]

    def share(self, n: int) -> slice:
        """The part of this process of `n` samples: neighbours, as even as can be."""
        return slice(self.rank * n // self.count, (self.rank + 1) * n // self.count)

    # --- numbers -----------------------------------------------------------------

    def exchange(self, what: Exchange, value: int = 0) -> list[int]:
        """Tell the others a number; everybody's, by rank.

        Raises
        ------
        PluginError
            If they are at something else: a strategy decided by its own samples.
        """
        if self.count == 1:
            return [value]
        told = self._tell(what, value)
        self._check(told)
        return [number for _, number in told]

    def total(self, value: int) -> int:
        """The sum of everybody's number."""
        return sum(self.exchange(Exchange.COUNT, value))

    def agree(self, mine: bool) -> bool:
        """What rank 0 says."""
        return bool(self.exchange(Exchange.AGREE, int(mine))[0])

    def follow(self) -> Iterator[Exchange]:
        """What the others are at, until they leave the step: one without samples
        answers each exchange with nothing.
        """
        while True:
            told = self._tell(Exchange.FOLLOW, 0)
            what = self._check(told)
            if what is Exchange.LEAVE:
                return
            yield what

    def _tell(self, what: Exchange, value: int) -> list[tuple[Exchange, int]]:
        with _unmetered():
            mine = torch.tensor([int(what), value])
            all_ = [torch.empty_like(mine) for _ in range(self.count)]
            torch.distributed.all_gather(all_, mine, group=self._group)
            return [(Exchange(int(t[0])), int(t[1])) for t in all_]

    def _check(self, told: list[tuple[Exchange, int]]) -> Exchange:
        at = {what for what, _ in told} - {Exchange.FOLLOW}
        led = any(what is Exchange.FOLLOW for what, _ in told)
        if len(at) != 1 or (led and not at <= _LED):
            names = ", ".join(sorted(what.name.lower() for what, _ in told))
            raise PluginError(
                f"the processes of the cell have come apart (they are at: {names}); a "
                "strategy must take the same steps on all of them, whatever their "
                "samples"
            )
        return at.pop()

    def check_same(self, what: str, value: Any) -> None:
        """Make sure that all processes mean the same.

        Raises
        ------
        PluginError
            If a strategy came to another value by its own samples.
        """
        if self.count == 1:
            return
        told = self.gather(hashlib.sha256(repr(value).encode()).hexdigest())
        if len(set(told)) > 1:
            raise PluginError(
                f"the processes of the cell have come apart: they differ in {what}; "
                "a strategy must choose the same on all of them, whatever their samples"
            )

    # --- anything ----------------------------------------------------------------

    def gather(self, value: Any) -> list[Any]:
        """Everybody's value, by rank; tensors must lie in main memory."""
        if self.count == 1:
            return [value]
        self.exchange(Exchange.GATHER)
        found: list[Any] = [None] * self.count
        with _unmetered():
            torch.distributed.all_gather_object(found, value, group=self._group)
        return found

    def collect(self, value: Any) -> list[Any] | None:
        """Everybody's value, by rank, on rank 0; None on the others.

        Equal tensors of several processes are one, so that a file holds them once.
        """
        if self.count == 1:
            return [value]
        self.exchange(Exchange.GATHER)
        found: list[Any] | None = [None] * self.count if self.is_main else None
        value = tree_map_only(Tensor, Tensor.cpu, value)
        torch.distributed.gather_object(value, found, group=self._group)
        return found and _sharing(found)

    # --- tensors on the device ---------------------------------------------------

    def sum_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Make every gradient the sum of all processes' gradients.

        One that no process has stays away: an optimizer passes it over.
        """
        if self.count == 1:
            return
        with _unmetered():
            there = torch.tensor([p.grad is not None for p in parameters])
            there = there.to(torch.int)
            torch.distributed.all_reduce(there, group=self._group)
        present = [p for p, n in zip(parameters, there.tolist(), strict=True) if n]
        for dtype in dict.fromkeys(p.dtype for p in present):
            _sum_flat([p for p in present if p.dtype == dtype])

    def even_out(self, module: nn.Module) -> None:
        """Give all processes the mean of their running statistics.

        Each has seen other samples; evaluation wants one network.
        """
        if self.count == 1:
            return
        self.exchange(Exchange.GATHER)
        with torch.no_grad():
            for buffer in module.buffers():
                if buffer.is_floating_point():
                    mean = self._accelerator.reduce(buffer, reduction="mean")
                    buffer.copy_(mean)

    def spread(self, module: nn.Module) -> None:
        """Give all processes the parameters and buffers of rank 0."""
        if self.count == 1:
            return
        self.exchange(Exchange.GATHER)
        with torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                torch.distributed.broadcast(tensor.data, src=0)


def _sharing(values: list[Any]) -> list[Any]:
    """The values, with tensors that equal the first one's at the same place replaced.

    Only there: what loads them may keep two places of one value apart by identity.
    """
    leaves, structure = tree_flatten(values[0])
    shared = [values[0]]
    for value in values[1:]:
        others, other_structure = tree_flatten(value)
        if other_structure == structure:
            pairs = zip(leaves, others, strict=True)
            value = tree_unflatten([_same(a, b) for a, b in pairs], structure)
        shared.append(value)
    return shared


def _same(first: Any, other: Any) -> Any:
    alike = isinstance(first, Tensor) and isinstance(other, Tensor)
    return first if alike and _is_equal(first, other) else other


def _is_equal(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.equal(b)


def _unmetered() -> AbstractContextManager[None]:
    """What the processes tell one another is no work of the cell.

    Its buffers are freed by threads of the backend, at times that no two runs share.
    """
    unseen: AbstractContextManager[None] = _disable_current_modes()
    return unseen


def _sum_flat(parameters: list[nn.Parameter]) -> None:
    """Sum gradients as one tensor: many small messages take far longer."""
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    with _unmetered():
        torch.distributed.all_reduce(flat)
    start = 0
    for gradient in gradients:
        size = gradient.numel()
        gradient.copy_(flat[start : start + size].view_as(gradient))
        start += size
