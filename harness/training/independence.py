"""Whether a network treats each sample by itself, as its plugin may declare."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from harness.errors import PluginError


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
