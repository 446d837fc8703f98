"""Counts the FLOPs of every operation that torch dispatches, and notes the blind spots.

1 multiply-add is 2 FLOPs. Matrix products, convolutions and attention count; norms,
activations and other elementwise work don't, as in the field's usual counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten
Shape = Sequence[int]


def _attention(query: Shape, key: Shape, value: Shape) -> int:
    """FLOPs of softmax(QK^T)V; shapes (batch, heads, steps, width)."""
    batch, heads, steps, width = query
    return 2 * batch * heads * steps * key[-2] * (width + value[-1])


def _attention_forward(
    query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any
) -> int:
    return _attention(query.shape, key.shape, value.shape)


def _attention_backward(
    _grad: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any
) -> int:
    return 2 * _attention(query.shape, key.shape, value.shape)


def _fused_self_attention(source: Tensor) -> int:
    batch, steps, width = source.shape
    return int(2 * batch * steps * width * (4 * width + 2 * steps))


def _native_attention(query: Tensor, *_: Any, **__: Any) -> int:
    return _fused_self_attention(query)


def _encoder_layer(source: Tensor, *weights: Any, **__: Any) -> int:
    wide = weights[13]
    rows = source.shape[0] * source.shape[1]
    return int(_fused_self_attention(source) + 4 * rows * wide.numel())


def _convolution_backward(
    grad: Tensor,
    source: Tensor,
    weight: Tensor,
    _bias: Any,
    _stride: Any,
    _padding: Any,
    _dilation: Any,
    transposed: bool,
    _output_padding: Any,
    _groups: int,
    mask: Sequence[bool],
    **_: Any,
) -> int:
    """For the input's and for the weight's gradient as much as for the forward."""
    positions = (source if transposed else grad).shape
    forward = 2 * positions[0] * prod(positions[2:]) * weight.numel()
    return forward * (mask[0] + mask[1])


def _formulas() -> dict[Any, Callable[..., int]]:
    """The formulas of torch and those that it lacks, the same on every device.

    torch charges the recomputation inside a fused attention's backward to some
    devices only; here a fused kernel costs what the plain products cost. Its formula
    for a convolution's backward overlooks groups.
    """
    fused = {
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention",
    }
    own: dict[Any, Callable[..., int]] = {
        aten.mv: lambda a, _b, **_: 2 * a.numel(),
        aten.addmv: lambda _a, b, _c, **_: 2 * b.numel(),
        aten.dot: lambda a, _b, **_: 2 * a.numel(),
        aten.vdot: lambda a, _b, **_: 2 * a.numel(),
        aten.addbmm: lambda _a, b, c, **_: 2 * b.numel() * c.shape[-1],
        aten._addmm_activation: lambda _a, b, c, **_: 2 * b.numel() * c.shape[-1],
        aten.convolution_backward: _convolution_backward,
        aten._native_multi_head_attention: _native_attention,
        aten._transformer_encoder_layer_fwd: _encoder_layer,
    }
    for name in fused:
        own[getattr(aten, name)] = _attention_forward
        own[getattr(aten, f"{name}_backward")] = _attention_backward
    return {**flop_registry, **own}


FORMULAS = _formulas()

_BLIND_NAMES = frozenset(
    {
        # recurrent layers, fused
        *("mkldnn_rnn_layer", "mkldnn_rnn_layer_backward"),
        *("_cudnn_rnn", "_cudnn_rnn_backward", "miopen_rnn", "miopen_rnn_backward"),
        *("_thnn_fused_lstm_cell", "_thnn_fused_gru_cell"),
        *("quantized_lstm", "quantized_gru"),
        # Fourier transforms
        *("_fft_r2c", "_fft_c2r", "_fft_c2c"),
        # products and convolutions of other kinds
        *("_trilinear", "_cdist_forward", "_cdist_backward", "_int_mm", "_grouped_mm"),
        *("conv_tbc", "conv_tbc_backward", "_convolution_double_backward"),
        *("_sparse_mm", "_sparse_addmm", "_sparse_sparse_matmul"),
        # linear algebra
        *("linalg_qr", "geqrf", "ormqr", "linalg_householder_product"),
        *("cholesky", "cholesky_inverse", "cholesky_solve", "linalg_cholesky_ex"),
        *("linalg_inv_ex", "linalg_lstsq", "linalg_matrix_exp", "_linalg_svd"),
        *("linalg_eig", "linalg_eigh", "_linalg_eigh", "_linalg_eigvals"),
        *("linalg_lu", "linalg_lu_factor_ex", "linalg_lu_solve", "_linalg_solve_ex"),
        *("linalg_solve_triangular", "triangular_solve"),
        *("_linalg_det", "_linalg_slogdet"),
    }
)
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
_KNOWN_NAMESPACES = frozenset(
    {"aten", "prim", "prims", "profiler", "c10d", "_c10d_functional"}
)


def _is_blind(operation: Any) -> bool:
    """Whether an operation without a formula may be heavy."""
    namespace = getattr(operation, "namespace", "")
    return namespace not in _KNOWN_NAMESPACES or _name(operation) in _BLIND_NAMES


@cache
def _is_composite(operation: Any) -> bool:
    """Whether an operation has a kernel that is made of other operations."""
    if not isinstance(operation, OpOverload):
        return False
    name = operation.name()  # type: ignore[no-untyped-call]
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(name, COMPOSITE))


def _name(operation: Any) -> str:
    packet = getattr(operation, "_overloadpacket", operation)
    return str(packet.__name__)


class FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode that adds up FLOPs; entered as often as needed.

    It changes no value: every operation runs as it would without it.

    Attributes
    ----------
    flops
        FLOPs counted so far.
    blind
        Names of the operations met that it can't count.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0
        self.blind: set[str] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one operation and count it."""
        kwargs = kwargs or {}
        formula = FORMULAS.get(getattr(func, "_overloadpacket", func))
        if formula is None and _is_composite(func):
            # Only inference mode lets composites through; their parts have formulas.
            with self:
                return func._op_dk(COMPOSITE, *args, **kwargs)
        out = func(*args, **kwargs)
        if formula is not None:
            self._add(func, formula, args, {**kwargs, "out_val": out})
        elif _is_blind(func):
            self.blind.add(_name(func))
        return out

    def _add(
        self, func: Any, formula: Callable[..., int], args: Any, kwargs: Any
    ) -> None:
        try:
            self.flops += int(formula(*args, **kwargs))
        except Exception:  # noqa: BLE001 - counting must never break a run
            # As for nested tensors, whose shapes the formulas can't read.
            self.blind.add(_name(func))
