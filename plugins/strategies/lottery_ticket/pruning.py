"""Which weights may be pruned, and which a round prunes: masks, True on what stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from harness import CellError

from .schedule import Primitive, removals

Masks = dict[str, Tensor]
"""A bool tensor for each prunable tensor of weights, of its shape, by its name."""

PRUNABLE = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    nn.Linear,
)


def prunable_weights(
    model: nn.Module, ignore: Collection[str] = ()
) -> dict[str, nn.Parameter]:
    """Weights of convolutions and linear layers, by their names in the network.

    Biases and norms are never among them, nor is what lies in an ignored module.
    Weights that layers share come once.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, PRUNABLE)]
    ours = {id(layer.weight) for layer in layers}
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if id(parameter) in ours and not _within(name, ignore)
    }


def _within(name: str, modules: Collection[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def remaining(masks: Mapping[str, Tensor]) -> dict[str, int]:
    """How many weights are left of each tensor."""
    return {name: int(mask.sum()) for name, mask in masks.items()}


def apply_masks(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Set pruned weights to 0, in place."""
    with torch.no_grad():
        for name, weight in weights.items():
            weight.masked_fill_(~masks[name], 0.0)


def magnitude_masks(
    weights: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    share: float,
    scope: str = "global",
    primitive: Primitive = "exact",
) -> Masks:
    """The masks without the share of remaining weights that are smallest in magnitude.

    Parameters
    ----------
    scope
        `global`: one threshold for all layers. `layer`: the share of each layer.
    primitive
        `exact`: removes as many as `schedule.removals` says; of equals the first, in
        the order of layers and of memory. `published`: keeps what is strictly above a
        threshold, so that all its equals go as well.

    Raises
    ------
    CellError
        If nothing would be left.
    """
    groups = [list(weights)] if scope == "global" else [[name] for name in weights]
    found: Masks = {}
    for names in groups:
        magnitudes = [weights[name].detach().abs()[masks[name]] for name in names]
        kept = _kept(torch.cat(magnitudes), share, primitive)
        parts = torch.split(kept, [len(part) for part in magnitudes])
        for name, part in zip(names, parts, strict=True):
            found[name] = masks[name].clone()
            found[name][masks[name]] = part
    if not any(bool(mask.any()) for mask in found.values()):
        raise CellError("lottery-ticket: all weights are equal; none would be left")
    return found


def _kept(magnitudes: Tensor, share: float, primitive: Primitive) -> Tensor:
    """Which of some magnitudes a round leaves; bool, shape (weights,)."""
    count = removals(len(magnitudes), share, primitive)
    kept = torch.ones_like(magnitudes, dtype=torch.bool)
    if count == 0:
        return kept
    values, order = magnitudes.sort(stable=True)
    if primitive == "published":
        return magnitudes > values[count - 1]
    kept[order[:count]] = False
    return kept


def random_masks(
    masks: Mapping[str, Tensor], counts: Mapping[str, int], rng: np.random.Generator
) -> Masks:
    """The masks with so many of each layer's remaining weights, drawn at random.

    Raises
    ------
    CellError
        If the counts are of other layers, or more than there are.
    """
    if set(masks) != set(counts):
        odd = min(set(masks) ^ set(counts))
        raise CellError(f"lottery-ticket: layer {odd!r} is in one of two masks only")
    found: Masks = {}
    for name, mask in masks.items():
        places = mask.flatten().nonzero().flatten()
        if counts[name] > len(places):
            raise CellError(
                f"lottery-ticket: {counts[name]} weights of layer {name!r} can't be "
                f"kept, {len(places)} are left"
            )
        drawn = torch.from_numpy(rng.permutation(len(places))[: counts[name]])
        flat = torch.zeros_like(mask).flatten()
        flat[places[drawn.to(places.device)]] = True
        found[name] = flat.view_as(mask)
    return found


def masks_in(state: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Masks:
    """The masks that a pruned network's weights show by their zeros.

    Parameters
    ----------
    state
        The network's parameters and buffers by name.
    masks
        Of the weights that are asked for.
    """
    return {name: (state[name] != 0).to(m.device) for name, m in masks.items()}
