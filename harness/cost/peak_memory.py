"""Peak live tensor bytes of a training step: the same number on every machine."""

from __future__ import annotations

import weakref
from bisect import bisect_left
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, UntypedStorage, nn
from torch.utils._python_dispatch import TorchDispatchMode

from harness.cost.flops import tensors_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch.optim import Optimizer

KINDS = (
    "parameters",
    "buffers",
    "gradients",
    "optimizer",
    "inputs",
    "activations",
    "temporaries",
)


@dataclass
class Block:
    """A storage; times are counts of events, 0 for what was there before the step."""

    size: int
    kind: str = ""
    born: int = 0
    in_backward: bool = False
    died: float = inf


class PeakLive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages that live during one step; it changes no value.

    Counted are tensors, by the size of their storages, each in one of these:

    - `parameters`, `buffers`, and as far as they exist at the start `gradients` and
      `optimizer` state;
    - `inputs`: other tensors made before the step and used in it, as the batch,
      masks, and networks that aren't watched;
    - what the step allocates: `gradients` (those there when a backward ends),
      `optimizer` state (that there at the end), `activations` (made outside of a
      backward and alive when one starts), `temporaries` (the rest).

    Workspaces inside kernels (cuDNN, oneDNN) aren't seen.

    Parameters
    ----------
    modules
        Those whose parameters, buffers and gradients count.
    optimizer
        Whose state counts.
    """

    def __init__(
        self, modules: Iterable[nn.Module], optimizer: Optimizer | None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._modules = list(modules)
        self._optimizer = optimizer
        self._blocks: list[Block] = []
        self._alive: dict[int, Block] = {}
        self._finalizers: list[Any] = []
        self._backward_starts: list[int] = []
        self._task = -1
        self._clock = self._live = self._peak = self._peak_time = 0
        for kind, tensors in self._known().items():
            for tensor in tensors:
                self._hold(kind, _storage(tensor))

    def _known(self) -> dict[str, list[Tensor]]:
        parameters = [p for m in self._modules for p in m.parameters()]
        state = self._optimizer.state.values() if self._optimizer else ()
        return {
            "parameters": list(parameters),
            "buffers": [b for m in self._modules for b in m.buffers()],
            "gradients": [p.grad for p in parameters if p.grad is not None],
            "optimizer": [t for s in state for t in tensors_of(s)],
        }

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation; follow what it reads and what it makes."""
        kwargs = kwargs or {}
        in_backward = self._follow_backward()
        for tensor in tensors_of((args, kwargs)):
            self._hold("inputs", _storage(tensor))
        out = func(*args, **kwargs)
        for tensor in tensors_of(out):
            self._made(_storage(tensor), in_backward=in_backward)
        return out

    def _follow_backward(self) -> bool:
        task = torch._C._current_graph_task_id()
        if task != self._task:
            if task == -1:
                # Gradients are all there now; the step may clear them before its end.
                self._name_blocks()
            else:
                self._backward_starts.append(self._clock)
            self._task = task
        return task != -1

    @property
    def saw_backward(self) -> bool:
        """Whether the step went backward."""
        return bool(self._backward_starts)

    def _hold(self, kind: str, storage: UntypedStorage | None) -> None:
        if storage is None or storage._cdata in self._alive:
            return
        self._follow(storage, Block(storage.nbytes(), kind))
        # It was there all the time: at the peak so far, too.
        self._peak += storage.nbytes()

    def _made(self, storage: UntypedStorage | None, *, in_backward: bool) -> None:
        if storage is None:
            return
        size = storage.nbytes()
        known = self._alive.get(storage._cdata)
        if known is not None and known.size == size:
            return
        self._drop(storage._cdata)
        self._clock += 1
        block = Block(size, born=self._clock, in_backward=in_backward)
        self._follow(storage, block)
        if self._live > self._peak:
            self._peak, self._peak_time = self._live, self._clock

    def _follow(self, storage: UntypedStorage, block: Block) -> None:
        key = storage._cdata
        self._finalizers.append(weakref.finalize(storage, self._drop, key))
        self._blocks.append(block)
        self._alive[key] = block
        self._live += block.size

    def _drop(self, key: int) -> None:
        block = self._alive.pop(key, None)
        if block is not None:
            self._clock += 1
            block.died = self._clock
            self._live -= block.size

    def breakdown(self) -> dict[str, int]:
        """Bytes at the peak by kind, and their `total`; asked once, at the end."""
        self._name_blocks()
        sizes = dict.fromkeys(KINDS, 0)
        for block in self._blocks:
            if block.born <= self._peak_time < block.died:
                sizes[block.kind or self._kind(block)] += block.size
        for finalizer in self._finalizers:
            finalizer.detach()
        return {"total": sum(sizes.values()), **sizes}

    def _name_blocks(self) -> None:
        """Gradients and optimizer state are known by where they are kept."""
        for kind, tensors in self._known().items():
            for storage in map(_storage, tensors):
                block = storage and self._alive.get(storage._cdata)
                if block and not block.kind:
                    block.kind = kind

    def _kind(self, block: Block) -> str:
        first = bisect_left(self._backward_starts, block.born)
        starts = self._backward_starts[first : first + 1]
        kept = not block.in_backward and starts and starts[0] < block.died
        return "activations" if kept else "temporaries"


def _storage(tensor: Tensor) -> UntypedStorage | None:
    """The storage of a tensor; None for layouts that have none, as sparse ones."""
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return None
