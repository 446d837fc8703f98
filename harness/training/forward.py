"""Sending a batch through a network, and what can be known of that beforehand.

What its forward takes, whether it treats each sample by itself, and what submodules
give on the way.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from harness.cost.flops import TWIN_ROWS, aside, cpu_twin, meta_twin
from harness.data.batch import Batch
from harness.errors import CellError, PluginError
from harness.training.outputs import Outputs


def takes_lengths(model: nn.Module) -> bool:
    """Whether forward has a second argument for the lengths of records."""
    parameters = list(inspect.signature(model.forward).parameters.values())
    return len(parameters) > 1 and parameters[1].name == "lengths"


def takes_side(model: nn.Module) -> bool:
    """Whether forward has an argument `side`, for age and sex."""
    return "side" in inspect.signature(model.forward).parameters


def check_batch_independence(model: nn.Module) -> None:
    """Hold a model to what its plugin declares: `batch_independent`.

    Raises
    ------
    PluginError
        If it has BatchNorm or dropout.
    """
    for name, module in model.named_modules():
        drops = isinstance(module, _DropoutNd) and module.p > 0
        if drops or isinstance(module, _BatchNorm):
            raise PluginError(
                f"the model declares batch_independent, but {name!r} is a "
                f"{type(module).__name__}"
            )


def send(model: nn.Module, batch: Batch, features: Sequence[str] = ()) -> Outputs:
    """A network's outputs for a batch, in its present mode.

    A network that takes `side` is handed the batch's side features, if it has any.

    Parameters
    ----------
    features
        Names of submodules whose outputs are wanted, too.

    Raises
    ------
    CellError
        If records have lengths and the network takes none.
    PluginError
        If a submodule gives no features.
    """
    arguments: dict[str, Tensor] = {}
    if batch.side_features is not None and takes_side(model):
        arguments["side"] = batch.side_features
    lengths = () if batch.lengths is None else (batch.lengths,)
    if lengths and not takes_lengths(model):
        raise CellError(
            f"{type(model).__name__} takes no lengths, so it can't be used on whole "
            'records; set seconds to a number, not "whole"'
        )
    with caught(model, features) as found:
        logits = model(batch.signals, *lengths, **arguments).float()
    mask = batch.step_mask(logits.shape[-1]) if logits.ndim == 3 else None
    return Outputs(logits, mask, found)


@contextmanager
def caught(model: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """What submodules give in forwards within, by name: (batch, channels, steps).

    Raises
    ------
    PluginError
        If one isn't there, gives anything else, or isn't called.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str, output: Any) -> None:
        if not isinstance(output, Tensor) or output.ndim != 3:
            given = tuple(getattr(output, "shape", ())) or type(output).__name__
            raise PluginError(
                f"{type(model).__name__}: {name!r} gives no features of shape "
                f"(batch, channels, steps), but {given}"
            )
        found[name] = output

    with ExitStack() as hooks:
        for name in names:
            module = submodule(model, name)
            handle = module.register_forward_hook(
                lambda _module, _inputs, output, name=name: keep(name, output)
            )
            hooks.callback(handle.remove)
        yield found
    silent = [name for name in names if name not in found]
    if silent:
        raise PluginError(
            f"{type(model).__name__}: {silent[0]!r} isn't called in a forward, so it "
            "gives no features"
        )


def submodule(model: nn.Module, name: str) -> nn.Module:
    """A part of a network, by its name.

    Raises
    ------
    PluginError
        If there is none of that name.
    """
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise PluginError(
            f"{type(model).__name__} has no submodule {name!r} to take features from"
        ) from None


def feature_shapes(
    model: nn.Module, names: Sequence[str], leads: int, samples: int
) -> dict[str, tuple[int, int]]:
    """Channels and steps that submodules give for one record; nothing is metered."""
    with aside(), torch.no_grad():
        try:
            found = _features(meta_twin(model), names, (leads, samples), "meta")
        except PluginError:
            raise
        except Exception:  # noqa: BLE001 - a network whose code depends on values
            found = _features(cpu_twin(model), names, (leads, samples), "cpu")
    return {name: (found[name].shape[1], found[name].shape[2]) for name in names}


def _features(
    twin: nn.Module, names: Sequence[str], shape: tuple[int, int], device: str
) -> dict[str, Tensor]:
    twin.eval()
    with caught(twin, names) as found:
        twin(torch.zeros(TWIN_ROWS, *shape, device=device))
    return found
