"""Groups of channels that can only go together: DepGraph (arXiv 2301.12900).

Which layers depend on one another, the norms of channels and the slicing of layers are
those of the method's own library. It follows channels through the graph of one
forward, and takes operations that it doesn't know for elementwise ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch_pruning
from torch import Tensor, nn

Importance = Literal["l2", "batchnorm"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
LAYERS = (*CONVOLUTIONS, nn.Linear, *BATCH_NORMS, nn.PReLU)
"""Those whose channels may be removed; a network may have others elsewhere."""


@dataclass(frozen=True)
class Member:
    """A layer of a group, or an operation between layers.

    Attributes
    ----------
    name
        Of the layer; empty for an operation.
    writes, reads
        Whether the group's channels are among those that it puts out, and takes in.
    channels
        Their positions there.
    leads_on
        Whether something comes behind it.
    """

    name: str
    layer: Any
    writes: bool
    reads: bool
    channels: Sequence[int]
    leads_on: bool

    def obstacle(self) -> str:
        """Why the channels can't be removed from it; empty if they can."""
        if self.writes and not self.leads_on:
            return "its channels are the network's outputs"
        if isinstance(self.layer, nn.Parameter):
            return "its channels meet a parameter that belongs to no layer"
        if not self.name:
            return ""
        if not isinstance(self.layer, LAYERS):
            return f"its channels meet {self.name}, a {type(self.layer).__name__}"
        if isinstance(self.layer, CONVOLUTIONS) and _is_grouped(self.layer):
            return f"its channels meet {self.name}, which convolves them in groups"
        width = self._width()
        if max(self.channels) >= width or (
            self._makes_channels() and len(self.channels) < width
        ):
            return (
                f"its channels meet those of {self.name}, which has another number of "
                "them: some are padded or cut between"
            )
        return ""

    def _makes_channels(self) -> bool:
        return self.writes and not self.reads

    def _width(self) -> int:
        layer = self.layer
        if isinstance(layer, CONVOLUTIONS):
            return layer.out_channels if self.writes else layer.in_channels
        if isinstance(layer, nn.Linear):
            return layer.out_features if self.writes else layer.in_features
        if isinstance(layer, nn.PReLU):
            # One slope for all channels has no place of its own for any of them.
            return max(layer.num_parameters, max(self.channels) + 1)
        return int(layer.num_features)


def _is_grouped(layer: Any) -> bool:
    """Whether it is neither an ordinary convolution nor one of each channel alone."""
    return layer.groups > 1 and not (
        layer.groups == layer.in_channels == layer.out_channels
    )


class Group:
    """Channels that several layers have in common.

    Attributes
    ----------
    layer
        Name of the first layer that puts them out.
    width
        How many there are.
    members
        All layers and operations that they pass.
    """

    def __init__(self, found: Any, layer: str, members: list[Member]) -> None:
        self.found = found
        self.layer = layer
        self.members = members
        self.width = len(members[0].channels)

    @property
    def has_norm(self) -> bool:
        """Whether a batch norm scales them."""
        return any(
            isinstance(m.layer, BATCH_NORMS) and m.layer.affine for m in self.members
        )

    def obstacle(self) -> str:
        """Why they can't be removed; empty if they can."""
        return next(filter(None, (m.obstacle() for m in self.members)), "")

    def importance(self, rule: Importance) -> Tensor:
        """Of each channel, shape (width,).

        `l2`: mean over the group's layers of the sum of its squared weights (arXiv
        2301.12900, section 3.3); `batchnorm`: mean of |scale| over its batch norms
        (network slimming, arXiv 1708.06519).
        """
        rules = torch_pruning.importance
        judge = (
            rules.GroupMagnitudeImportance(p=2, normalizer=None)
            if rule == "l2"
            else rules.BNScaleImportance(normalizer=None)
        )
        judged: Tensor = judge(self.found)
        return judged


class Graph:
    """The dependencies between a network's layers.

    Parameters
    ----------
    model
        On the CPU, in eval mode, with gradients for all parameters; changed by
        `remove`.
    signals
        What it is called with, shape (batch, leads, samples).

    Attributes
    ----------
    groups
        Those whose channels can be removed, in an order that depends on the network's
        structure only.
    left_whole
        Why those of another group can't, by the group's first layer.
    """

    def __init__(self, model: nn.Module, signals: Tensor) -> None:
        self._names = {layer: name for name, layer in model.named_modules()}
        with torch.enable_grad():
            self._graph = torch_pruning.DependencyGraph().build_dependency(
                model,
                example_inputs=signals,
                forward_fn=lambda model, signals: model(signals),
                verbose=False,
            )
        self.groups: list[Group] = []
        self.left_whole: dict[str, str] = {}
        for group in self._all():
            obstacle = group.obstacle()
            if obstacle:
                self.left_whole[group.layer] = obstacle
            else:
                self.groups.append(group)

    def _all(self) -> Iterator[Group]:
        for found in self._graph.get_all_groups():
            root = found[0].dep.target.module
            yield Group(found, self._names[root], self._members(found))

    def _members(self, found: Any) -> list[Member]:
        return [
            Member(
                self._names.get(item.dep.target.module, ""),
                item.dep.target.module,
                self._graph.is_out_channel_pruning_fn(item.dep.handler),
                self._graph.is_in_channel_pruning_fn(item.dep.handler),
                item.idxs,
                bool(item.dep.target.outputs),
            )
            for item in found
        ]

    def remove(self, group: Group, channels: Sequence[int]) -> None:
        """Take channels (positions in the group) out of all of its layers."""
        if len(channels):
            self._part(group, channels).prune()

    def listeners(
        self, group: Group, channels: Sequence[int]
    ) -> list[tuple[str, list[int]]]:
        """The layers that weigh channels (positions in the group), and where among
        their inputs they have them.
        """
        return [
            (member.name, list(member.channels))
            for member in self._members(self._part(group, channels))
            if member.name and member.reads and not member.writes
        ]

    def _part(self, group: Group, channels: Sequence[int]) -> Any:
        root = group.found[0].dep
        return self._graph.get_pruning_group(
            root.target.module, root.handler, list(channels)
        )
