"""What a model's forward takes."""

from __future__ import annotations

import inspect

from torch import nn


def takes_lengths(model: nn.Module) -> bool:
    """Whether forward has a second argument for the lengths of records."""
    parameters = list(inspect.signature(model.forward).parameters.values())
    return len(parameters) > 1 and parameters[1].name == "lengths"


def takes_side(model: nn.Module) -> bool:
    """Whether forward has an argument `side`, for age and sex."""
    return "side" in inspect.signature(model.forward).parameters
