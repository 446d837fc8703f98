"""Channels of a network that can be removed, and the network without some of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from harness import CellError

from .groups import BATCH_NORMS, Graph, Group

RECORDS, SHORT = 4, 32
"""Records, and samples of each, that show how layers depend on one another."""
TOLERANCE = 2e-3
"""Between outputs that should be the same, relative to the largest of them. Rounding
made up to 2e-4 of it in networks of 40 layers; one group of channels that was removed
in the wrong places made 1e-2 and more."""


def kept(width: int, ratio: float) -> int:
    """Channels that stay of `width` when the share `ratio` is gone: one at least."""
    # A product of floats just below a whole number means that number.
    return max(1, width - int(width * ratio + 1e-9))


class Channels:
    """The removable channels of a dense network.

    Which channels are removable, and how many are left at a given ratio, depends on
    the network's structure alone, never on its weights.

    Attributes
    ----------
    widths
        How many channels each group has, by the first layer that puts them out.
    left_whole
        Why a group can't lose channels, likewise.

    Raises
    ------
    CellError
        If no group can, or if the network becomes another one without them.
    """

    def __init__(self, model: nn.Module, leads: int, samples: int) -> None:
        self._name = type(model).__name__
        self._dense = _copy(model)
        network = _with_noise(self._dense)
        self._signals = _noise(RECORDS, leads, min(SHORT, samples))
        try:
            graph = self._graph(network)
        except Exception:  # noqa: BLE001 - any code of a plugin may run here
            # A network for records of one length takes no others.
            self._signals = _noise(RECORDS, leads, samples)
            graph = self._graph(network)
        self.widths = {group.layer: group.width for group in graph.groups}
        self.left_whole = graph.left_whole
        self._without_norm = [g.layer for g in graph.groups if not g.has_norm]
        if not self.widths:
            reasons = "; ".join(f"{k}: {why}" for k, why in self.left_whole.items())
            raise CellError(
                f"structured-pruning finds no channels to remove in {self._name} "
                f"({reasons or 'it has no layers that put out channels'})"
            )
        self._check(network, graph)

    def check_importance(self, importance: str) -> None:
        """Make sure that all channels can be judged.

        Raises
        ------
        CellError
            If some have no batch norm and are to be judged by its scales.
        """
        if importance == "batchnorm" and self._without_norm:
            raise CellError(
                'structured-pruning: importance = "batchnorm" needs a batch norm for '
                f"all channels, but those of {self._without_norm[0]} in {self._name} "
                'have none; take "l2"'
            )

    def check_ratio(self, ratio: float) -> None:
        """Make sure that some channel goes.

        Raises
        ------
        CellError
            If the share is less than one channel of every group.
        """
        if self.widths_at(ratio) == self.widths:
            widest = max(self.widths.values())
            raise CellError(
                f"structured-pruning: ratio = {ratio:g} removes no channel from "
                f"{self._name}, where the widest group has {widest}; a channel of it "
                f"goes from {1 / widest:.3g} on"
                if widest > 1
                else f"structured-pruning: no layer of {self._name} has more than one "
                "channel"
            )

    def widths_at(self, ratio: float) -> dict[str, int]:
        """As `widths`, when the share `ratio` of each group is gone."""
        return {layer: kept(width, ratio) for layer, width in self.widths.items()}

    def ratio_of(
        self, weights: Mapping[str, Tensor], ratios: Iterable[float]
    ) -> float | None:
        """Which of the ratios a network with these weights was pruned to, if any.

        Where several leave it equally wide, the first.
        """
        keys = {f"{layer}.weight": layer for layer in self.widths}
        if not keys.keys() <= weights.keys():
            return None
        found = {layer: weights[key].shape[:1] for key, layer in keys.items()}
        for ratio in ratios:
            if found == {k: (width,) for k, width in self.widths_at(ratio).items()}:
                return ratio
        return None

    def pruned(
        self, model: nn.Module, ratio: float, importance: Callable[[Group], Tensor]
    ) -> nn.Module:
        """A copy of the network without its least important channels, on the CPU.

        Parameters
        ----------
        model
            The dense network, or one that lost a smaller share.
        ratio
            Share of the dense network's channels that is gone then, from 0 to 1.
        importance
            Of each channel of a group, shape (channels,).
        """

        def least(group: Group) -> list[int]:
            order: list[int] = importance(group).argsort(stable=True).tolist()
            return order[: self._excess(group, ratio)]

        return self._without(model, least)

    def any_pruned(self, ratio: float) -> nn.Module:
        """A network of the shapes that `pruned` gives, whatever its weights."""
        return self._without(
            self._dense, lambda group: range(self._excess(group, ratio))
        )

    def _excess(self, group: Group, ratio: float) -> int:
        return group.width - kept(self.widths[group.layer], ratio)

    def _graph(self, network: nn.Module) -> Graph:
        return Graph(network.requires_grad_().eval(), self._signals[:1])

    def _without(
        self, model: nn.Module, choose: Callable[[Group], Sequence[int]]
    ) -> nn.Module:
        """A copy of the network without the chosen channels of each group."""
        pruned = _copy(model)
        graph = self._graph(pruned)
        # All are chosen first: the norms are those of the network before.
        for group, channels in [(group, choose(group)) for group in graph.groups]:
            graph.remove(group, channels)
        trainable = {k: p.requires_grad for k, p in model.named_parameters()}
        for name, parameter in pruned.named_parameters():
            parameter.requires_grad_(trainable[name])
        return pruned.train(model.training)

    # --- whether what is left is still the network -------------------------------

    def _check(self, network: nn.Module, graph: Graph) -> None:
        """Make sure that every group of the network can go without some channels.

        Raises
        ------
        CellError
            Names a layer whose channels can't be removed.
        """
        if not self._harm(network, graph, list(self.widths)):
            return
        for layer in self.widths:
            network = _with_noise(self._dense)
            why = self._harm(network, self._graph(network), [layer])
            if why:
                break
        raise CellError(
            f"structured-pruning can't remove channels of {layer} from {self._name}: "
            f"without some of them it {why or 'goes wrong where others go as well'}. "
            "It follows channels through convolutions, linear layers, batch norms, "
            "sums, products and concatenations; what mixes them otherwise must not "
            "come before the next such layer"
        )

    def _harm(self, network: nn.Module, graph: Graph, layers: Sequence[str]) -> str:
        """What is wrong with the network without every other channel of the layers.

        What is left must compute the same as the whole network does when no layer
        listens to the channels that are gone.
        """
        deaf = _copy(network)
        gone = [
            (group, range(0, group.width, 2))
            for group in graph.groups
            if group.layer in layers and group.width > 1
        ]
        for group, channels in gone:
            for name, positions in graph.listeners(group, channels):
                with torch.no_grad():
                    deaf.get_submodule(name).weight[:, positions] = 0
        try:
            for group, channels in gone:
                graph.remove(group, channels)
            with torch.no_grad():
                expected, found = (
                    _normalising(net)(self._signals) for net in (deaf, network)
                )
        except Exception as error:  # noqa: BLE001 - any code of a plugin may run here
            return f"fails ({type(error).__name__}: {error})".splitlines()[0]
        if expected.shape != found.shape:
            return f"gives outputs of shape {tuple(found.shape)}"
        difference = (found - expected).abs().max()
        same = bool(difference <= TOLERANCE * expected.abs().max())
        return "" if same else "computes something else"


def _copy(model: nn.Module) -> nn.Module:
    """On the CPU, where sums are added up in one order."""
    return copy.deepcopy(model).cpu()


def _noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _normalising(model: nn.Module) -> nn.Module:
    """The network in eval mode, but for batch norms: they keep signals from vanishing
    on the way, and rounding errors from growing.
    """
    model.eval()
    for layer in model.modules():
        if isinstance(layer, BATCH_NORMS):
            layer.train()
    return model


def _with_noise(model: nn.Module) -> nn.Module:
    """A copy in which no weight is zero, nor like another: all that is there shows."""
    noisy = _copy(model)
    with torch.no_grad():
        for parameter in noisy.parameters():
            noise = _noise(*parameter.shape)
            if parameter.ndim > 1:
                noise /= parameter[0].numel() ** 0.5
            else:
                # Of norms: scales that leave something for a ReLU to let through.
                noise = 0.5 + 0.1 * noise
            parameter.copy_(noise)
    return noisy
