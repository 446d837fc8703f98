"""Mixing the samples of a batch: pure functions of a generator.

`random-crop` is made where batches are (`SplitData.batch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from harness.data.batch import Batch
from harness.options import Augmentation, CutMix, Mixup


def augment_batch(
    batch: Batch,
    augmentations: Sequence[Augmentation],
    classes: int,
    rng: np.random.Generator,
) -> Batch:
    """Mix the samples of a batch, in the order in which a suite lists the ways.

    Parameters
    ----------
    classes
        Number of classes.

    Returns
    -------
    Batch
        With float32 labels of shape (batch, classes) where samples were mixed, and
        its views mixed in the same way. Ids, patients and weights are those of each
        sample's first part; after `cutmix`, which leaves the rest of the record as it
        is, side features are, too.
    """
    for augmentation in augmentations:
        if isinstance(augmentation, Mixup):
            batch = mixup(batch, augmentation.alpha, classes, rng)
        elif isinstance(augmentation, CutMix):
            batch = cutmix(batch, augmentation.alpha, classes, rng)
    return batch


def mixup(batch: Batch, alpha: float, classes: int, rng: np.random.Generator) -> Batch:
    """Mix each sample with another: x = s x_i + (1 - s) x_j, and labels so too.

    Zhang et al. 2018, arXiv 1710.09412, with one share s ~ Beta(alpha, alpha) for a
    batch. What is signal in either record is signal in their mix. Side features are
    mixed as a model takes them, flags of what is unknown included (Han et al. 2021,
    CinC 2021 #80); by name, the mix of an unknown value is unknown.
    """
    share = float(rng.beta(alpha, alpha))
    partner = torch.from_numpy(rng.permutation(len(batch)))

    def mix(values: Tensor) -> Tensor:
        return share * values + (1 - share) * values[partner]

    beside = batch.side_features
    mixed = replace(
        batch,
        signals=mix(batch.signals),
        views={leads: mix(signals) for leads, signals in batch.views.items()},
        labels=mix(soft_labels(batch.labels, classes)),
        side={name: mix(values) for name, values in batch.side.items()},
        side_features=None if beside is None else mix(beside),
    )
    if batch.lengths is None or batch.mask is None:
        return mixed
    return replace(
        mixed,
        lengths=torch.maximum(batch.lengths, batch.lengths[partner]),
        mask=batch.mask | batch.mask[partner],
    )


def cutmix(batch: Batch, alpha: float, classes: int, rng: np.random.Generator) -> Batch:
    """Replace a stretch of each sample by the same stretch of another.

    Yun et al. 2019, arXiv 1905.04899, in time: the stretch takes a share of about
    1 - s, s ~ Beta(alpha, alpha), of the shorter record; labels are mixed by the
    share of the record that was replaced.
    """
    share = float(rng.beta(alpha, alpha))
    partner = torch.from_numpy(rng.permutation(len(batch)))
    samples = batch.signals.shape[-1]
    own = torch.full((len(batch),), samples) if batch.lengths is None else batch.lengths
    both = torch.minimum(own, own[partner])
    width = torch.round((1 - share) * both).long()
    start = torch.from_numpy(rng.integers(0, (both - width).numpy(), endpoint=True))
    time = torch.arange(samples)
    cut = (time >= start[:, None]) & (time < (start + width)[:, None])
    kept = (1 - width / own)[:, None]
    labels = soft_labels(batch.labels, classes)

    def cut_in(signals: Tensor) -> Tensor:
        return torch.where(cut[:, None], signals[partner], signals)

    return replace(
        batch,
        signals=cut_in(batch.signals),
        views={leads: cut_in(signals) for leads, signals in batch.views.items()},
        labels=kept * labels + (1 - kept) * labels[partner],
    )


def soft_labels(labels: Tensor, classes: int) -> Tensor:
    """Labels as float32 targets, shape (batch, classes)."""
    if labels.dtype == torch.int64:
        return one_hot(labels, classes).float()
    return labels
