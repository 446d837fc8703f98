"""Weights kept on the way, to be judged on the test split once training is over.

Training may have changed their shapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import save
from torch import Tensor, nn

from harness.errors import CheckpointError, PluginError
from harness.files.atomic import write_atomically

if TYPE_CHECKING:
    from harness.training.networks import Networks


SNAPSHOTS = "snapshots"
"""The folder of a cell's snapshots, in its own."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*")


def file_of(name: str, axes: Mapping[str, float]) -> str:
    """The name of a snapshot's file."""
    stem = "-".join([name, *(f"{k}={v:g}" for k, v in sorted(axes.items()))])
    return f"{stem}.safetensors"


class Snapshots:
    """Named states of the model; their test figures are never handed to a strategy.

    Where `writes` is False, another process of the cell writes the files.
    """

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self.folder = folder
        self._writes = writes
        self.entries: list[dict[str, Any]] = []

    def take(self, name: str, model: nn.Module, axes: Mapping[str, float]) -> None:
        """Keep the model's present weights under a name, with axes for plots.

        Raises
        ------
        PluginError
            If the name is no plain file name, or was used before with other axes.
        """
        odd = [text for text in (name, *axes) if not _NAME.fullmatch(text)]
        if odd:
            raise PluginError(
                f"snapshot {odd[0]!r}: letters, digits, '.', '_', '-' only"
            )
        file = file_of(name, axes)
        if any(entry["file"] == file for entry in self.entries):
            stem = file.removesuffix(".safetensors")
            raise PluginError(f"snapshot {stem!r} is taken twice; give it an axis")
        if self._writes:
            state = {
                k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()
            }
            write_atomically(self.folder / file, save(state))
        self.entries.append({"name": name, "axes": dict(axes), "file": file})

    def read(self, entry: Mapping[str, Any]) -> bytes:
        """The safetensors file of one entry."""
        return (self.folder / str(entry["file"])).read_bytes()

    def state_dict(self) -> list[dict[str, Any]]:
        """Plain data."""
        return self.entries

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """As `state_dict` gave it."""
        odd = [e["file"] for e in state if not _FILE.fullmatch(str(e["file"]))]
        if odd:
            raise CheckpointError(f"the checkpoint names a snapshot's file {odd[0]!r}")
        self.entries = [dict(entry) for entry in state]


def shape_like(run: Networks, weights: Mapping[str, Tensor]) -> None:
    """Give the run the model that has the shapes of these weights, if a strategy knows
    of one.
    """
    model = run.hook.fit_to_weights(run=run, weights=weights)
    if model is not None:
        run.set_model(model.train(run.model.training))


def take_weights(run: Networks, weights: Mapping[str, Tensor]) -> None:
    """Load weights into the run's model, whichever shapes training gave them.

    Raises
    ------
    RuntimeError
        If they aren't those of the cell's model.
    """
    shape_like(run, weights)
    run.model.load_state_dict(dict(weights))


class ModelState:
    """The model's part of a checkpoint, whichever module is the model at the time."""

    def __init__(self, run: Networks) -> None:
        self._run = run

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers by name."""
        weights: dict[str, Tensor] = self._run.model.state_dict()
        return weights

    def load_state_dict(self, weights: Mapping[str, Tensor]) -> None:
        """As `state_dict` gave it, in the shapes that they had then."""
        take_weights(self._run, weights)
