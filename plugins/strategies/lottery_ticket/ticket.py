"""A network under masks, and the state that what survives is set back to."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from harness import CellError

from .pruning import Masks, apply_masks, prunable_weights, remaining


class Ticket:
    """The masks of a network's prunable weights, and the point that it rewinds to.

    Gradients of pruned weights are zeroed, so that they count neither for the norm of
    the gradient nor for the optimizer's moments.

    Attributes
    ----------
    weights
        The prunable ones, by name.
    masks
        True on what stays; changed in place only.
    steps
        Optimizer steps of the first training until the rewind point was kept.
    last_rate
        Share of the optimizer's learning rate that the first training ended with.
    """

    def __init__(self, model: nn.Module, ignore: Collection[str] = ()) -> None:
        self.weights = prunable_weights(model, ignore)
        self.masks: Masks = {
            name: torch.ones_like(weight, dtype=torch.bool)
            for name, weight in self.weights.items()
        }
        self.steps = 0
        self.last_rate: float | None = None
        self._model = model
        self._point: dict[str, Tensor] = {}
        self._digest = ""
        for name, weight in self.weights.items():
            if weight.requires_grad:
                _mask_gradient(weight, self.masks[name])

    # --- the masks -------------------------------------------------------------------

    @property
    def remaining(self) -> dict[str, int]:
        """Weights that are left of each tensor."""
        return remaining(self.masks)

    @property
    def reduction_factor(self) -> float:
        """Prunable weights / remaining ones."""
        total = sum(mask.numel() for mask in self.masks.values())
        return total / sum(self.remaining.values())

    def apply(self) -> None:
        """Set pruned weights to 0."""
        apply_masks(self.weights, self.masks)

    def prune_to(self, masks: Mapping[str, Tensor]) -> None:
        """Take masks that keep no weight which these have pruned.

        Raises
        ------
        CellError
            If they do.
        """
        for name, mask in self.masks.items():
            if bool((masks[name] & ~mask).any()):
                raise CellError(f"lottery-ticket: pruned weights of {name} came back")
            mask.copy_(masks[name])
        self.apply()

    # --- the rewind point ------------------------------------------------------------

    @property
    def has_point(self) -> bool:
        """Whether the state to rewind to has been kept yet."""
        return bool(self._point)

    def keep_point(self) -> None:
        """Keep weights, biases and buffers as they are now."""
        state = self._model.state_dict()
        self._point = {k: v.detach().to("cpu", copy=True) for k, v in state.items()}
        self._digest = _digest(self._point)

    def rewind(self) -> None:
        """Set what survives, biases and buffers back to the point.

        Raises
        ------
        CellError
            If there is none, or it isn't what was kept.
        """
        self._check_point()
        self._model.load_state_dict(self._point)
        self.apply()

    def check_start(self) -> None:
        """See that the network is at the rewind point, but for what is pruned.

        Survivors that had been trained before would look like winning tickets.

        Raises
        ------
        CellError
            If it isn't, bit by bit.
        """
        self._check_point()
        for name, tensor in self._model.state_dict().items():
            expected = self._point[name]
            if name in self.masks:
                expected = expected.masked_fill(~self.masks[name].cpu(), 0.0)
            if not torch.equal(tensor.cpu(), expected):
                raise CellError(
                    f"lottery-ticket: at the start of a round {name} differs from the "
                    "rewind point; another strategy of the cell may have changed it"
                )

    def _check_point(self) -> None:
        if not self._point:
            raise CellError(
                f"lottery-ticket: the first training took {self.steps} steps, and "
                "ended before the step to rewind to"
            )
        if _digest(self._point) != self._digest:
            raise CellError(
                "lottery-ticket: the rewind point isn't the state that was kept; "
                "remove the cell's folder and run it again"
            )

    # --- checkpoints -----------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Plain data and tensors."""
        return {
            "masks": self.masks,
            "steps": self.steps,
            "last_rate": self.last_rate,
            "point": self._point,
            "digest": self._digest,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `state_dict` gave it."""
        for name, mask in self.masks.items():
            mask.copy_(state["masks"][name])
        self.steps, self.last_rate = state["steps"], state["last_rate"]
        self._point, self._digest = dict(state["point"]), state["digest"]


def _mask_gradient(weight: nn.Parameter, mask: Tensor) -> None:
    weight.register_hook(lambda gradient: gradient.masked_fill(~mask, 0.0))


def _digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of names and bits."""
    digest = hashlib.sha256()
    for name, tensor in state.items():
        digest.update(name.encode() + b"\0")
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
