"""A finished cell, as a strategy is handed it: a teacher, say, or a first stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from types import MethodType
from typing import Any, NoReturn, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from harness.catalog import source_hash
from harness.cell import Cell
from harness.cost.flops import aside
from harness.data.batch import Batch
from harness.data.check_options import window_samples
from harness.data.dataset import instantiate
from harness.errors import ConfigError, DataError
from harness.files.atomic import LARGEST_JSON, parse_json, read_limited
from harness.results.requirement import Requirement, part
from harness.results.state import KEPT
from harness.training.forward import feature_shapes
from harness.training.outputs import Outputs
from harness.training.record_log import read_kept
from harness.training.saved_cell import mismatches, read_weights
from harness.training.snapshots import SNAPSHOTS, file_of

_Module = TypeVar("_Module", bound=nn.Module)


class RequiredCell:
    """A cell that this run's cell requires: its weights, and what is known of it.

    Of its quality, the validation split's metrics are all that can be had.

    Parameters
    ----------
    requirement
        Which cell it is. One that isn't trained yet has a network and nothing else.
    samples
        Of the run's own records: those of the cell's where both take them whole.
    sees_alike
        Whether it sees the run's records as the run does, but for leads.
    place
        Puts a frozen network on the run's device, and meters it.
    send
        Sends a batch through a network of the run, and catches features.
    """

    def __init__(
        self,
        requirement: Requirement,
        samples: int,
        sees_alike: bool,
        place: Callable[[nn.Module], nn.Module],
        send: Callable[[nn.Module, Batch, Sequence[str]], Outputs],
    ) -> None:
        self._requirement = requirement
        self._samples = samples
        self._sees_alike = sees_alike
        self._place = place
        self._send = send

    @property
    def id(self) -> str:
        """Of the cell."""
        return self._requirement.id

    @cached_property
    def model(self) -> nn.Module:
        """The network with its final weights: frozen, in eval mode for good, on the
        run's device. Its forward passes count as the run's.

        Raises
        ------
        DataError
            If its weights can't be read or aren't those of its model.
        """
        saved = None if self._requirement.folder is None else self.weights
        # Building draws random numbers, which are none of the run's.
        with aside():
            self._check_source()
            model = _built(self._requirement.cell, self._samples)
            if saved is not None:
                self._check(model, saved)
                model.load_state_dict(saved)
        return self._place(_frozen(model))

    def outputs(self, batch: Batch, features: Sequence[str] = ()) -> Outputs:
        """What its network gives for a batch, which it sees through its own leads and
        without labels; no gradient reaches it.

        Parameters
        ----------
        batch
            Of the run, of training or validation records.
        features
            Names of submodules whose outputs are wanted, too.

        Raises
        ------
        ConfigError
            If it sees records in another way than the run's cell: at another sampling
            rate, say.
        """
        if not self._sees_alike:
            raise ConfigError(
                f"{self._requirement}: a batch can be seen through other leads only; "
                "its other data options must be those of the cell that requires it"
            )
        with torch.no_grad():
            return self._send(self.model, batch.view(self.leads), features)

    def feature_shapes(self, names: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Channels and steps that submodules of its network give for one record, by
        name.

        Raises
        ------
        PluginError
            If one isn't there, or gives nothing of shape (batch, channels, steps).
        """
        samples = _samples_seen(self._requirement.cell, self._samples)
        return feature_shapes(self.model, names, len(self.leads), samples)

    @cached_property
    def leads(self) -> tuple[str, ...]:
        """Names of the leads that it was trained on."""
        cell = self._requirement.cell
        return tuple(cell.options.leads or instantiate(cell.dataset).leads)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The network's final parameters and buffers by name, on the CPU.

        Raises
        ------
        DataError
            If they can't be read.
        """
        if self._requirement.folder is None:
            return dict(self.model.state_dict())
        self._requirement.result()
        try:
            saved = read_weights(self._requirement.folder)
        except ConfigError as error:
            raise DataError(f"{self._requirement}: {error}") from None
        if saved.cell.id != self._requirement.id:
            raise DataError(
                f"{self._requirement}: {saved.path.name} is of cell {saved.cell.id}"
            )
        return dict(saved.tensors)

    def snapshot(self, name: str, **axes: float) -> dict[str, Tensor]:
        """Parameters and buffers that it kept on the way, on the CPU, by the name and
        the axes that its `run.snapshot` had.

        Raises
        ------
        DataError
            If it kept no such snapshot, or it can't be read.
        """
        self._requirement.result()
        assert self._requirement.folder is not None
        file = self._requirement.folder / SNAPSHOTS / file_of(name, axes)
        try:
            return load(file.read_bytes())
        except FileNotFoundError:
            problem = f"it kept no snapshot {file.stem!r}"
        except (OSError, SafetensorError) as error:
            problem = f"its snapshot {file.stem!r} can't be read: {error}"
        raise DataError(f"{self._requirement}: {problem}")

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """The rows of its `history.jsonl`, one an epoch.

        Raises
        ------
        DataError
            If they can't be read.
        """
        self._requirement.result()
        assert self._requirement.folder is not None
        try:
            path = self._requirement.folder / "history.jsonl"
            text = read_limited(path, LARGEST_JSON).decode("utf-8")
            rows = [parse_json(line) for line in text.splitlines()]
        except (OSError, ValueError) as error:
            raise DataError(f"{self._requirement}: {error}") from None
        if not all(isinstance(row, dict) for row in rows):
            raise DataError(f"{self._requirement}: history.jsonl holds no rows")
        return rows

    @cached_property
    def kept(self) -> NDArray[np.bool_] | None:
        """Which training records each epoch trained on, a row for each of `history`:
        shape (epochs, records). None where every epoch trained on all of them.

        Raises
        ------
        DataError
            If it can't be read.
        """
        rows = self.history
        assert self._requirement.folder is not None
        try:
            kept = read_kept(self._requirement.folder / KEPT)
        except FileNotFoundError as error:
            if all(row.get("kept") == self.cost["train_samples"] for row in rows):
                return None
            raise DataError(f"{self._requirement}: {error}") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{self._requirement}: {error}") from None
        if len(kept) != len(rows):
            raise DataError(f"{self._requirement}: {KEPT} isn't of its epochs")
        return kept

    @cached_property
    def cost(self) -> dict[str, Any]:
        """What was counted of it, as `cost` of its `result.json`."""
        return part(self._requirement.result(), "cost", self._requirement)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Its metrics on the validation split."""
        metrics = part(self._requirement.result(), "metrics", self._requirement)
        return part(metrics, "validation", self._requirement)

    def refuse(self) -> None:
        """Let the network answer no more: it isn't the trained one.

        Raises
        ------
        DataError
            From then on, whenever the network is called.
        """
        message = f"{self._requirement}: it isn't there; keep it beside this cell's"

        def forward(_module: nn.Module, _arguments: Any) -> NoReturn:
            raise DataError(message)

        self.model.register_forward_pre_hook(forward)

    def _check_source(self) -> None:
        choice = self._requirement.cell.model
        if self._requirement.sources is None or choice is None:
            return
        if source_hash(choice.locator) != choice.source_hash:
            raise ConfigError(
                f"plugin {choice.name!r} was edited while the suite ran; run it again"
            )

    def _check(self, model: nn.Module, saved: dict[str, Tensor]) -> None:
        problems = mismatches(model.state_dict(), saved)
        if problems:
            raise DataError(
                f"{self._requirement}: its weights aren't those of its model "
                f"({problems[0]}): where its strategy makes the network, take `weights`"
            )


def _built(cell: Cell, samples: int) -> nn.Module:
    """The network of a cell's model, for that cell's own leads and classes."""
    if cell.model is None:
        raise DataError(f"required cell {cell.title}: it uses no model; take `weights`")
    dataset = instantiate(cell.dataset)
    leads = cell.options.leads or dataset.leads
    model: nn.Module = instantiate(cell.model).build(
        len(leads), _samples_seen(cell, samples), len(dataset.classes)
    )
    return model


def _samples_seen(cell: Cell, whole: int) -> int:
    """Samples of a cell's batches; `whole` where it takes records whole."""
    window = window_samples(instantiate(cell.dataset), cell.options)
    return whole if window is None else window


def _frozen(model: _Module) -> _Module:
    """The network, never to be trained: a call of `train` changes nothing."""
    model.requires_grad_(requires_grad=False).eval()
    # Bound, so that a copy's method is the copy's.
    model.train = MethodType(_stay, model)  # type: ignore[method-assign]
    return model


def _stay(self: _Module, mode: bool = True) -> _Module:  # noqa: ARG001
    return self
