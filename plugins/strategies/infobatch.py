"""InfoBatch: prune easy records at random, and weigh up those that are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Field, Strategy, hookimpl

if TYPE_CHECKING:
    import numpy as np

    from harness import Run

PRUNED, WHOLE = "pruned", "whole"


class InfoBatch(Strategy):
    """Leave out random easy records, and weigh up the other easy ones: unbiased.

    A record's score is the loss that it had when it was last trained on: no forward
    pass is made for it. In each epoch a share `ratio` of the records whose score is
    below the mean is pruned at random, and the losses of the easy ones that are left
    are multiplied by 1 / (1 - ratio), so that the expected gradient is that of all
    records. The last 1 - `delta` of the epochs train on everything.

    A record that has no score yet is never easy, and counts in no mean. The published
    code gives it a score of 3, which comes to the same: the first epoch of a fit
    prunes nothing. After it every record has a score; one that is pruned keeps it.
    """

    name = "infobatch"
    version = 1
    reference = "Qin et al., InfoBatch, ICLR 2024, arXiv 2303.04947, section 3"

    class Params(Strategy.Params):
        """How much is pruned, and until when."""

        ratio: float = Field(
            0.5, gt=0, lt=1, description="share of the easy records that is pruned"
        )
        delta: float = Field(
            0.875, ge=0, le=1, description="share of the epochs in which it is"
        )

    def _prunes(self, run: Run) -> bool:
        assert run.fitted is not None
        # Scores of a fit before this one are of another network.
        return 0 < run.epoch < self.params.delta * run.fitted.epochs

    @hookimpl
    def phase(self, run: Run) -> str:
        """Pruned epochs, between the first one and the whole ones at the end."""
        return PRUNED if self._prunes(run) else WHOLE

    @hookimpl
    def select_epoch(self, run: Run) -> tuple[np.ndarray, np.ndarray] | None:
        """Prune a share of the records with a score below the mean; weigh the rest."""
        import numpy as np

        scores = run.last_losses
        known = np.isfinite(scores)
        if not self._prunes(run) or not known.any():
            return None
        ratio = self.params.ratio
        easy = np.flatnonzero(known & (scores < scores[known].mean(dtype=np.float64)))
        pruned = run.rng("infobatch").choice(easy, round(ratio * len(easy)), False)
        weights = np.ones(len(scores), np.float32)
        weights[easy] = 1 / (1 - ratio)
        left = np.delete(np.arange(len(scores)), pruned)
        return left, weights[left]
