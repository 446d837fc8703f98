"""How large a state of a network is: weights that are left, bytes, multiply-adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.cost.sparse_storage import stored_bytes
from harness.cost.sparsity import inference_macs, prunable

if TYPE_CHECKING:
    from collections.abc import Sequence


def prunable_weights(model: nn.Module) -> int:
    """Number of elements of all prunable weights; shared ones once."""
    return sum(weight.numel() for weight in _own(model).values())


def measured_size(
    model: nn.Module, shape: Sequence[int] | None, built: int
) -> dict[str, Any]:
    """Figures of the present weights, as plain data: equal for equal weights.

    Parameters
    ----------
    shape
        Of one sample, (leads, samples), for the multiply-adds; None where not known.
    built
        Prunable weights of the network as it was built, before anything was taken out
        of it.

    Returns
    -------
    dict
        `parameters`: of the network as it is; `prunable`: those that can be pruned;
        `remaining`: those of them that aren't zero; `remaining_by_layer`: by the
        layer's name, in the order of the network.
        `sparsity`: zeros / prunable; `reduction_factor`: built / remaining. None
        where nothing can be pruned, or nothing remains.
        `stored_bytes`: see `harness.cost.sparse_storage`.
        `dense_macs`, `sparse_macs`: see `harness.cost.size.inference_macs`.
    """
    weights = _own(model)
    total = prunable_weights(model)
    by_layer = {name: int(torch.count_nonzero(w)) for name, w in weights.items()}
    remaining = sum(by_layer.values())
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "prunable": total,
        "remaining": remaining,
        "remaining_by_layer": by_layer,
        "sparsity": (total - remaining) / total if total else None,
        "reduction_factor": built / remaining if remaining else None,
        "stored_bytes": stored_bytes(model).as_dict(),
        **inference_macs(model, shape),
    }


def _own(model: nn.Module) -> dict[str, Tensor]:
    """Prunable weights by layer; one that layers share belongs to the first."""
    found: dict[int, tuple[str, Tensor]] = {}
    for name, weight in prunable(model).items():
        found.setdefault(id(weight), (name, weight))
    return dict(found.values())
