"""How many bytes a network's weights take in a file that skips their zeros.

The zeros of a pruned network only save room where it's written down which weights are
left: an index, which can outweigh what is left. Counted from the weights, for the
cheapest of three simple ways of writing each tensor:

- dense: every element, no index;
- bitmap: the elements that aren't zero, and one bit for each element;
- deltas: the elements that aren't zero, and for each of them 16 bits, how far it is
  from the one before. A gap of more than 65,535 takes further entries, whose delta is
  the reserved 0 and which have no element (after Han et al. 2016, arXiv 1510.00149,
  section 2, who store a filler zero instead).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.cost.sparsity import prunable

if TYPE_CHECKING:
    from collections.abc import Iterable

DELTA_BYTES = 2
LONGEST_DELTA = 0xFFFF


@dataclass(frozen=True)
class StoredBytes:
    """Bytes of all weights and buffers of a network; names and shapes left out.

    Attributes
    ----------
    values, index
        Elements of prunable weights that are written, and where they stand.
    other
        All other parameters and buffers, dense.
    total
        The three together.
    dense_total
        Everything dense.
    """

    values: int
    index: int
    other: int
    total: int
    dense_total: int

    def as_dict(self) -> dict[str, int]:
        """Plain data."""
        return asdict(self)


def stored_bytes(model: nn.Module) -> StoredBytes:
    """The bytes of a network, each prunable weight written in its cheapest way.

    A tensor that several layers share counts once.
    """
    everything = _distinct(model.state_dict(keep_vars=True).values())
    weights = {id(t): t for t in prunable(model).values()}
    sparse = [encoded(t) for t in weights.values()]
    values, index = (
        (sum(part) for part in zip(*sparse, strict=True)) if sparse else (0, 0)
    )
    other = sum(_dense(t) for key, t in everything.items() if key not in weights)
    dense = other + sum(_dense(t) for t in weights.values())
    return StoredBytes(values, index, other, values + index + other, dense)


def encoded(weight: Tensor) -> tuple[int, int]:
    """Bytes of the values and of the index of one tensor, in the cheapest way."""
    kept = weight.detach().flatten().nonzero().squeeze(1)
    values = len(kept) * weight.element_size()
    ways = [
        (_dense(weight), 0),
        (values, bitmap_bytes(weight.numel())),
        (values, delta_bytes(kept)),
    ]
    return min(ways, key=sum)


def bitmap_bytes(elements: int) -> int:
    """One bit for each element, in whole bytes."""
    return -(-elements // 8)


def delta_bytes(kept: Tensor) -> int:
    """16 bits for each element that is kept, and for each gap too long for them.

    Parameters
    ----------
    kept
        Positions in the flat tensor, ascending, int64, shape (kept,).
    """
    before = torch.cat([kept.new_full((1,), -1), kept[:-1]])
    skips = (kept - before - 1) // LONGEST_DELTA if len(kept) else kept
    return DELTA_BYTES * (len(kept) + int(skips.sum()))


def _dense(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _distinct(tensors: Iterable[object]) -> dict[int, Tensor]:
    return {id(t): t for t in tensors if isinstance(t, Tensor)}
