"""How sparse a network is, and what that could save at inference."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.cost.flops import aside, meta_twin

if TYPE_CHECKING:
    from collections.abc import Sequence

Convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
Transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
Prunable = (*Convolution, *Transposed, nn.Linear)


def prunable(model: nn.Module) -> dict[str, Tensor]:
    """Weights of convolutions and linear layers, by the layer's name; no biases."""
    return {
        name: layer.weight
        for name, layer in model.named_modules()
        if isinstance(layer, Prunable)
    }


def sparsity(model: nn.Module) -> dict[str, float | None]:
    """Share of zeros in prunable weights, and in all parameters (0 to 1)."""
    return {
        "prunable": zero_share(prunable(model).values()),
        "all": zero_share(model.parameters()),
    }


def zero_share(tensors: Any) -> float | None:
    """Zeros / elements; None where there are no elements."""
    held = list({id(t): t for t in tensors}.values())
    total = sum(t.numel() for t in held)
    zeros = total - sum(int(torch.count_nonzero(t)) for t in held)
    return zeros / total if total else None


def inference_macs(
    model: nn.Module, shape: Sequence[int] | None
) -> dict[str, int | None]:
    """Multiply-adds of one sample in convolutions and linear layers.

    `sparse_macs` is theoretical: each zero weight is skipped wherever it would be
    used. Attention products and recurrent layers aren't included.

    Parameters
    ----------
    shape
        Of one sample, (leads, samples); None where it isn't known.
    """
    positions = _positions(model, shape) if shape else None
    if positions is None:
        return {"dense_macs": None, "sparse_macs": None}
    weights = prunable(model)
    return {
        "dense_macs": sum(n * weights[k].numel() for k, n in positions.items()),
        "sparse_macs": sum(
            n * int(torch.count_nonzero(weights[k])) for k, n in positions.items()
        ),
    }


def _positions(model: nn.Module, shape: Sequence[int]) -> dict[str, int] | None:
    """How often each weight is used for one sample, by the layer's name."""
    found: dict[str, int] = {}

    def follow(name: str, layer: nn.Module) -> None:
        def hook(_layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            found[name] = found.get(name, 0) + _uses(layer, inputs[0], out)

        layer.register_forward_hook(hook)

    try:
        with aside(), torch.no_grad():
            twin = meta_twin(model).eval()
            for name, layer in twin.named_modules():
                if isinstance(layer, Prunable):
                    follow(name, layer)
            twin(torch.empty((1, *shape), device="meta"))
    except Exception:  # noqa: BLE001 - any code of a plugin may run here
        return None
    return found


def _uses(layer: nn.Module, given: Tensor, out: Tensor) -> int:
    if isinstance(layer, nn.Linear):
        return prod(out.shape[:-1])
    # Without the batch of one sample, and without channels.
    return prod((given if isinstance(layer, Transposed) else out).shape[2:])
