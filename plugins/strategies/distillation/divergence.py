"""How far what a student makes of a record is from what its teacher makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    import numpy as np

    from harness import Outputs

EPSILON = 1e-5
"""Added to variances before they divide, as in layer normalisation."""


def of_stage(
    taught: Tensor, own: Tensor, temperature: float = 1.0, standardise: bool = False
) -> Tensor:
    """KL(P || Q) of the channels' distributions at each step: shape (batch, steps).

    Parameters
    ----------
    taught, own
        Shape (batch, channels, steps), of the teacher and the student; the teacher's
        are interpolated to the student's steps.
    """
    p, q = (
        _log_distribution(features, temperature, standardise)
        for features in (_at_steps(taught, own.shape[2]), own)
    )
    return functional.kl_div(q, p, reduction="none", log_target=True).sum(1)


def of_answers(
    taught: Outputs, own: Outputs, temperature: float, multi_label: bool
) -> Tensor:
    """KL of softened answers (Hinton et al. 2015): shape (batch,).

    Of the classes' distribution; of multi-label answers, the mean over classes of that
    between present and absent. Where answers have steps, the mean over valid ones.
    """
    student = own.logits / temperature
    teacher = taught.logits / temperature
    if student.ndim == 3:
        teacher = _at_steps(teacher, student.shape[2])
    if multi_label:
        present = functional.kl_div(
            functional.logsigmoid(student),
            functional.logsigmoid(teacher),
            reduction="none",
            log_target=True,
        )
        absent = functional.kl_div(
            functional.logsigmoid(-student),
            functional.logsigmoid(-teacher),
            reduction="none",
            log_target=True,
        )
        kl = (present + absent).mean(1)
    else:
        p, q = teacher.log_softmax(1), student.log_softmax(1)
        kl = functional.kl_div(q, p, reduction="none", log_target=True).sum(1)
    return kl if kl.ndim == 1 else over_time(kl, own.step_mask, "mean")


def over_time(
    by_step: Tensor, mask: Tensor | None, how: Literal["mean", "sum"]
) -> Tensor:
    """Mean or sum over the steps that hold signal: shape (batch,).

    Parameters
    ----------
    by_step
        Shape (batch, steps).
    mask
        bool, of the same shape; None where all steps hold signal.
    """
    if mask is None:
        return by_step.mean(1) if how == "mean" else by_step.sum(1)
    total = (by_step * mask).sum(1)
    return total / mask.sum(1).clamp_min(1) if how == "mean" else total


def derangement(rng: np.random.Generator, n: int) -> Tensor:
    """Positions, shape (n,), none of which is its own, for n of at least 2.

    One cycle through all of them, drawn at random.
    """
    cycle = torch.from_numpy(rng.permutation(n))
    order = torch.empty_like(cycle)
    order[cycle] = cycle.roll(1)
    return order


def _log_distribution(
    features: Tensor, temperature: float, standardise: bool
) -> Tensor:
    values = features.float()
    if standardise:
        centred = values - values.mean(1, keepdim=True)
        variance = centred.square().mean(1, keepdim=True)
        values = centred / (variance + EPSILON).sqrt()
    return (values / temperature).log_softmax(1)


def _at_steps(taught: Tensor, steps: int) -> Tensor:
    if taught.shape[2] == steps:
        return taught
    return functional.interpolate(taught.float(), size=steps, mode="linear")
