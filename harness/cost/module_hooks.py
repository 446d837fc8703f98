"""Hooks on a root module that count the samples sent through it and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.cost.flops import Call, CallFlops, count, described, tensors_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(slots=True)
class Rows:
    """Samples that went forward and backward by one way of calling a module."""

    forward: int = 0
    backward: int = 0


@dataclass(frozen=True)
class Key:
    """A way of calling a module of a certain structure, in training or evaluation."""

    call: Call
    structure: int
    evaluating: bool


@dataclass
class Watched:
    """A root module under metering.

    Only calls of this very object count: a deep copy carries the hook along, but
    the hook ignores it. A root inside another watched root leaves the counting to
    the outer one.

    Attributes
    ----------
    whole
        False for an adapter, whose input isn't a sample sent forward once more.
    pending
        Samples not yet fetched by `settle`.
    unseen
        True when a pending key has not been counted yet.
    """

    name: str
    module: nn.Module
    whole: bool
    roots: Callable[[], Iterable[Watched]]
    evaluating: Callable[[], bool]
    pending: dict[Key, Rows] = field(default_factory=dict)
    unseen: bool = False
    _parameters: list[nn.Parameter] | None = None
    _inner: bool = False
    _structures: dict[Any, int] = field(default_factory=dict)
    _structure: int = 0
    _flops: dict[tuple[int, Call], CallFlops] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A closure, as deep copies of the module then share it and copy nothing.
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            if module is self.module:
                self._forward(args, kwargs, output)

        self._handle = self.module.register_forward_hook(hook, with_kwargs=True)

    def remove(self) -> None:
        """Take the hook off the module, for good."""
        self._handle.remove()
        # A copy of the module has the hook, too, which must not keep the module alive.
        self.module = nn.Identity()

    @property
    def intact(self) -> bool:
        """False when someone else took the hook off."""
        return self._handle.id in self.module._forward_hooks

    def forget_structure(self) -> None:
        """Look again, at the next call, at what the module consists of."""
        self._parameters = None

    def _forward(self, args: Any, kwargs: Any, output: Any) -> None:
        parameters = self._parameters
        if parameters is None:
            parameters = self._look()
        inputs = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
        if self._inner or not inputs or not inputs[0].dim():
            return
        rows = inputs[0].shape[0]
        call = Call(
            tuple([described(a, rows) for a in args]),
            tuple([(k, described(v, rows)) for k, v in kwargs.items()]),
            self.module.training,
            torch.is_grad_enabled(),
            tuple([p.requires_grad for p in parameters]),
        )
        self._record(Key(call, self._structure, self.evaluating()), rows, output)

    def _record(self, key: Key, rows: int, output: Any) -> None:
        counts = self.pending.get(key)
        if counts is None:
            counts = self.pending[key] = Rows()
            self.unseen |= (key.structure, key.call) not in self._flops
        counts.forward += rows
        if key.call.grad:
            self._count_backward(key, rows, output)

    def _count_backward(self, key: Key, rows: int, output: Any) -> None:
        last = -1

        def arrived(_gradient: Tensor) -> None:
            # Several outputs may get a gradient in one backward: it counts once.
            nonlocal last
            task = torch._C._current_graph_task_id()
            if task != last:
                last = task
                self.pending.setdefault(key, Rows()).backward += rows

        for tensor in tensors_of(output):
            if tensor.requires_grad:
                tensor.register_hook(arrived)  # type: ignore[no-untyped-call]

    def _look(self) -> list[nn.Parameter]:
        self._parameters = list(self.module.parameters())
        shapes = tuple(p.shape for p in self._parameters)
        parts = (tuple(type(m) for m in self.module.modules()), shapes)
        self._structure = self._structures.setdefault(parts, len(self._structures))
        self._inner = any(self._within(other) for other in self.roots())
        return self._parameters

    def _within(self, other: Watched) -> bool:
        return other.module is not self.module and any(
            part is self.module for part in other.module.modules()
        )

    def settle(self) -> list[tuple[Key, Rows, CallFlops]]:
        """Fetch what is pending, with its FLOPs, and forget it."""
        pending, self.pending, self.unseen = self.pending, {}, False
        return [
            (key, rows, self.flops(key.call, key.structure))
            for key, rows in pending.items()
        ]

    def flops(self, call: Call, structure: int) -> CallFlops:
        """FLOPs of a call, counted once."""
        known = self._flops.get((structure, call))
        if known is None:
            known = self._flops[structure, call] = count(self.module, call)
        return known
