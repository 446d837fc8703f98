"""Random order as a pure function of a seed and a place in the run.

Nothing here depends on how much was drawn before, so a run that is resumed sees the
same batches as one that was never interrupted.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

# Lengths are jittered by up to this share before batches are cut from the sorted
# records: neighbours change from epoch to epoch while little padding is added.
LENGTH_JITTER = 0.1


def _digest(seed: int, path: tuple[int | str, ...]) -> bytes:
    return hashlib.sha256(json.dumps([seed, *path]).encode()).digest()


def generator(seed: int, *path: int | str) -> np.random.Generator:
    """A generator of its own for each seed and path, say `(0, "augment", epoch, 3)`."""
    key = np.frombuffer(_digest(seed, path)[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key))


def torch_seed(seed: int, *path: int | str) -> int:
    """A seed for a `torch.Generator`, 63 bits."""
    return int.from_bytes(_digest(seed, path)[:8], "little") >> 1


def epoch_order(n: int, seed: int, *path: int | str) -> Indices:
    """A permutation of `range(n)`, shape (n,)."""
    return generator(seed, *path, "order").permutation(n)


def batches(order: Indices, batch_size: int) -> list[Indices]:
    """Consecutive parts of `order`; the last may be smaller and is used too."""
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def bucketed_batches(
    order: Indices,
    lengths: NDArray[np.int64],
    batch_size: int,
    seed: int,
    *path: int | str,
) -> list[Indices]:
    """Batches of records of similar length, in random order.

    Parameters
    ----------
    order
        The indices to use, each once.
    lengths
        Length of every record of the split, in samples; indexed by `order`.
    """
    rng = generator(seed, *path, "buckets")
    jittered = lengths[order] * rng.uniform(1, 1 + LENGTH_JITTER, len(order))
    parts = batches(order[np.argsort(jittered, kind="stable")], batch_size)
    return [parts[i] for i in rng.permutation(len(parts))]
