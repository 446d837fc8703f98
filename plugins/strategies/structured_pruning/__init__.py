"""Pruning of whole channels: a network that is smaller, not one with zeros in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness import Field, Strategy, equal_budget, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from harness import Cell, Run

    from .channels import Channels
    from .groups import Group


class StructuredPruning(Strategy):
    """Train, then remove the least important channels for good and retrain, in rounds.

    Channels that layers have in common (over residual additions, say) are one group
    and go together. Every group loses the same share of its channels, those whose
    weights have the smallest norm over all layers of the group. What can't lose
    channels without the network becoming another one, as a stage behind a shortcut
    padded with zeros, stays whole, as do the input's leads and the outputs.

    Round r of n leaves of each group all but `ratio` r / n of its first width, rounded
    up, and retrains with a fresh optimizer on the budget's schedule. A whole budget is
    thus spent n + 1 times, unless `epochs_per_round` says otherwise.
    """

    name = "structured-pruning"
    batch_independent = True
    version = 1
    reference = "DepGraph, arXiv 2301.12900 (CVPR 2023)"

    class Params(Strategy.Params):
        """How much goes, in how many rounds, and by what it's chosen."""

        ratio: float = Field(
            0.5, gt=0, lt=1, description="share of each group's channels removed in all"
        )
        rounds: int = Field(
            1, ge=1, le=100, description="steps of equal size in which it is reached"
        )
        epochs_per_round: int | None = Field(
            None, ge=1, description="of retraining; null: the budget's"
        )
        importance: Literal["l2", "batchnorm", "random"] = Field(
            "l2",
            description="of a channel: the L2 norm of its weights in all layers of the "
            "group, the scales of its batch norms, or chance",
        )

    @hookimpl
    def controls(self, cell: Cell) -> Mapping[str, Cell]:
        """Channels chosen by chance, and plain training that computes as much."""
        if self.params.importance == "random":
            return {}
        longer = "baseline at equal FLOPs"
        return {
            longer: equal_budget(cell)[longer],
            "random channels": cell.changing(self.name, importance="random"),
        }

    @hookimpl
    def train(self, run: Run) -> bool:
        """Train the dense network, then prune and retrain, round by round."""
        channels = self._channels(run)
        channels.check_importance(self.params.importance)
        channels.check_ratio(self.params.ratio)
        run.log(channels=channels.widths, left_whole=channels.left_whole)
        run.fit()
        run.snapshot("dense", round=0)
        for done in run.loop("round", self.params.rounds):
            ratio = self._ratios[done + 1]
            run.set_model(channels.pruned(run.model, ratio, self._importance(run)))
            run.log(channels=channels.widths_at(ratio))
            run.snapshot("pruned", round=done + 1)
            run.fit(self.params.epochs_per_round, fresh_optimizer=True)
            run.snapshot("retrained", round=done + 1)
        return True

    @hookimpl
    def fit_to_weights(
        self, run: Run, weights: Mapping[str, Tensor]
    ) -> nn.Module | None:
        """The network of the round that the weights are of."""
        channels = self._channels(run)
        ratio = channels.ratio_of(weights, self._ratios)
        present = channels.ratio_of(run.model.state_dict(), self._ratios)
        return None if ratio in (None, present) else channels.any_pruned(ratio)

    def _importance(self, run: Run) -> Callable[[Group], Tensor]:
        rule = self.params.importance
        if rule != "random":
            return lambda group: group.importance(rule)
        import torch

        rng = run.rng("channels")
        return lambda group: torch.from_numpy(rng.random(group.width))

    @property
    def _ratios(self) -> list[float]:
        """The share of channels that is gone after each round; 0 before the first."""
        rounds = self.params.rounds
        return [self.params.ratio * done / rounds for done in range(rounds + 1)]

    def _channels(self, run: Run) -> Channels:
        """Those of the dense network, which the run begins with wherever it goes on."""
        from .channels import Channels

        if self._found is None:
            self._found = Channels(run.model, run.leads, run.samples)
        return self._found

    _found: Channels | None = None
