"""FLOPs per sample of a module, from a twin on the meta device."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

from harness.cost.flop_counter import FlopCounter

TWIN_ROWS = 2
"""Batch rows of a twin's input: 1 would take BatchNorm's single-value error path."""


@dataclass(frozen=True)
class TensorSpec:
    """What of a tensor argument decides the work: its shape without the batch."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    requires_grad: bool
    batched: bool

    @classmethod
    def of(cls, tensor: Tensor, rows: int) -> TensorSpec:
        """The spec of an argument of a call on `rows` samples."""
        shape = tuple(tensor.shape)
        batched = len(shape) > 0 and shape[0] == rows
        kept = shape[1:] if batched else shape
        return cls(kept, tensor.dtype, tensor.requires_grad, batched)

    def meta(self) -> Tensor:
        """A tensor of `TWIN_ROWS` samples that holds no values."""
        made = torch.empty(self._full, dtype=self.dtype, device="meta")
        return made.requires_grad_(self.requires_grad)

    def random(self, longest: int) -> Tensor:
        """A tensor of `TWIN_ROWS` samples on the CPU: noise, or valid lengths."""
        if self.dtype.is_floating_point:
            noise = torch.randn(self._full, generator=torch.Generator().manual_seed(0))
            return noise.to(self.dtype).requires_grad_(self.requires_grad)
        return torch.full(self._full, longest).to(self.dtype)

    @property
    def _full(self) -> tuple[int, ...]:
        return (TWIN_ROWS, *self.shape) if self.batched else self.shape


@dataclass(frozen=True)
class Call:
    """One way of calling a module, as far as its FLOPs depend on it.

    Attributes
    ----------
    args, kwargs
        Arguments, with a `TensorSpec` in place of each tensor.
    training, grad
        Mode of the module; whether gradients were enabled.
    trainable
        `requires_grad` of each parameter, in the order of `module.parameters()`.
    """

    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]
    training: bool
    grad: bool
    trainable: tuple[bool, ...]

    @property
    def signals(self) -> TensorSpec | None:
        """The first tensor argument: what a sample looks like."""
        specs = (a for a in (*self.args, *dict(self.kwargs).values()) if _is_spec(a))
        return next(specs, None)

    def complete(self) -> Call:
        """The same call in full training: forward, and backward to all parameters."""
        everything = (True,) * len(self.trainable)
        return replace(self, training=True, grad=True, trainable=everything)


@dataclass(frozen=True)
class CallFlops:
    """FLOPs of a call on `TWIN_ROWS` samples.

    Attributes
    ----------
    blind
        Operations that couldn't be counted.
    failure
        Why nothing could be counted; empty where it could.
    """

    forward: int = 0
    backward: int = 0
    blind: frozenset[str] = field(default_factory=frozenset)
    failure: str = ""


def count(module: nn.Module, call: Call) -> CallFlops:
    """FLOPs of the forward, and of a backward from all outputs.

    Counted on the meta device; where the module's code depends on values, on a copy
    on the CPU. Neither the module nor any random state changes.
    """
    signals = call.signals
    longest = signals.shape[-1] if signals and signals.shape else 1
    with aside():
        try:
            return _run(meta_twin(module), call, TensorSpec.meta)
        except Exception:  # noqa: BLE001, S110 - any code of a plugin may run here
            pass
        try:
            return _run(cpu_twin(module), call, lambda spec: spec.random(longest))
        except Exception as error:  # noqa: BLE001
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return CallFlops(failure=reason)


def _is_spec(value: Any) -> bool:
    return isinstance(value, TensorSpec)


def _run(
    twin: nn.Module, call: Call, make: Callable[[TensorSpec], Tensor]
) -> CallFlops:
    for parameter, trainable in zip(twin.parameters(), call.trainable, strict=True):
        parameter.requires_grad_(trainable)
    if twin.training != call.training:
        twin.train(call.training)
    args = _made(make, call.args)
    kwargs = _made(make, dict(call.kwargs))
    counter = FlopCounter()
    with counter, torch.set_grad_enabled(call.grad):
        outputs = tensors_of(twin(*args, **kwargs))
        forward = counter.flops
        roots = [t for t in outputs if t.requires_grad]
        if roots:
            torch.autograd.backward(roots, [torch.ones_like(t) for t in roots])
    return CallFlops(forward, counter.flops - forward, frozenset(counter.blind))


def meta_twin(module: nn.Module) -> nn.Module:
    """A copy without values or hooks: what it computes is shapes only."""
    return _twin(module, lambda t: torch.empty_like(t, device="meta"))


def cpu_twin(module: nn.Module) -> nn.Module:
    """A copy on the CPU, without hooks."""
    return _twin(module, lambda t: t.detach().to("cpu", copy=True))


def _twin(module: nn.Module, convert: Callable[[Tensor], Tensor]) -> nn.Module:
    """A deep copy in which every tensor is converted and never copied itself.

    Handing the converted tensors to `deepcopy` as its memo saves the memory of a
    real copy, keeps sharing, and takes non-leaf tensors, as `torch.nn.utils.prune`
    leaves them in attributes.
    """
    memo: dict[int, Any] = {}
    with torch.no_grad():
        for part in module.modules():
            held = (*part._parameters.values(), *part._buffers.values())
            for tensor in (*held, *vars(part).values()):
                if isinstance(tensor, Tensor):
                    memo[id(tensor)] = _converted(tensor, convert)
    twin = copy.deepcopy(module, memo)
    for part in twin.modules():
        for name, hooks in vars(part).items():
            if name.endswith("_hooks") and isinstance(hooks, dict):
                hooks.clear()
    return twin


def _converted(tensor: Tensor, convert: Callable[[Tensor], Tensor]) -> Tensor:
    new = convert(tensor)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(new, requires_grad=tensor.requires_grad)
    return new.requires_grad_(tensor.requires_grad)


@contextmanager
def aside() -> Iterator[None]:
    """Work that is none of the run's: no mode sees it, no random state moves."""
    with (
        _disable_current_modes(),
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(mode=False),
    ):
        yield


def described(value: Any, rows: int) -> Any:
    """A hashable stand-in for an argument; what it can't describe becomes a name."""
    if isinstance(value, Tensor):
        return TensorSpec.of(value, rows)
    if isinstance(value, list | tuple):
        return tuple(described(v, rows) for v in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return f"<{type(value).__name__}>"


def _made(make: Callable[[TensorSpec], Tensor], value: Any) -> Any:
    if isinstance(value, TensorSpec):
        return make(value)
    if isinstance(value, dict):
        return {k: _made(make, v) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(_made(make, v) for v in value)
    return value


def tensors_of(value: Any) -> list[Tensor]:
    """The tensors in nested tuples, lists and mappings."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [t for v in value.values() for t in tensors_of(v)]
    if isinstance(value, list | tuple):
        return [t for v in value for t in tensors_of(v)]
    return []
