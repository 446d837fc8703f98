"""Iterative magnitude pruning: the search for winning tickets, and its controls."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from harness import CellError, Strategy, equal_budget, hookimpl

from .params import DEFAULT_ROUNDS, PRESETS, PruningParams
from .schedule import fixed, lth_ecg, rounds_to

if TYPE_CHECKING:
    from harness import Cell, EpochReport, Run

    from .pruning import Masks


class LotteryTicket(Strategy):
    """Prune the smallest weights round by round, rewind the rest, and train again.

    Each round trains the network under its mask for the budget's epochs, with a fresh
    optimizer; removes a share of the remaining weights; and goes on from:

    - `init`: the initial weights (Frankle & Carbin 2019, arXiv 1803.03635).
    - `iteration`: the weights after k steps of the first training (Frankle et al.
      2020, arXiv 1912.05671). Each round then trains for the whole budget, not for the
      T - k steps that were left.
    - `learning-rate`: the weights as they are, at the full rate again (Renda et al.
      2020, arXiv 2003.02389).
    - `fine-tuning`: the weights as they are, at the rate with which the first training
      ended.

    Only weights of convolutions and linear layers are pruned; biases and norms are
    rewound with the rest. For judgement are kept, by `round` (the number of prunings):
    `ticket`, the network trained under its mask, of which round 0 is the dense one; and
    `pruned`, the network right after a pruning, before it is rewound and trained. The
    final weights are those of the last ticket.

    Its controls are a random mask with as many weights in each layer, and new random
    weights under the ticket's masks. A ticket that beats neither owes nothing to which
    weights were kept, or to where they started.
    """

    name = "lottery-ticket"
    version = 1
    batch_independent = True
    reference = (
        "Frankle & Carbin 2019, arXiv 1803.03635; LTH-ECG: Sahu et al. 2022, "
        "doi 10.1109/EMBC48229.2022.9871259"
    )
    presets = PRESETS

    Params = PruningParams

    # --- the cells that it needs, and those beside it --------------------------------

    @hookimpl
    def requires(self, cell: Cell) -> Mapping[str, Cell]:
        """A control needs the ticket that it controls."""
        if self.params.finds_masks or "ticket" in cell.given:
            return {}
        return {"ticket": cell.changing(self.name, mask="magnitude", reinit=False)}

    @hookimpl
    def controls(self, cell: Cell) -> Mapping[str, Cell]:
        """What is left of a ticket without its mask, and without its start; and the
        dense network trained for as long as all rounds together.
        """
        if not self.params.finds_masks:
            return {}
        longer = "baseline at equal FLOPs"
        return {
            longer: equal_budget(cell)[longer],
            "random mask": cell.changing(self.name, mask="random"),
            "random re-init": cell.changing(self.name, reinit=True),
        }

    # --- training --------------------------------------------------------------------

    @hookimpl(trylast=True)
    def setup(self, run: Run) -> None:
        """Masks that keep everything, on the network as all strategies made it."""
        from .checks import check
        from .ticket import Ticket

        check(self.params, run)
        self.ticket = Ticket(run.model, self.params.ignore)
        self.rewind_step: int | None = None
        run.track(ticket=self.ticket)

    @hookimpl
    def train(self, run: Run) -> bool:
        """Iterative magnitude pruning (Frankle et al. 2020, algorithm 2)."""
        ticket = self.ticket
        self._start(run)
        rounds = self._rounds()
        for number in run.loop("round", rounds + 1):
            if ticket.has_point:
                ticket.check_start()
            run.log(
                remaining=ticket.remaining, reduction_factor=ticket.reduction_factor
            )
            run.fit(
                self.params.epochs_per_round,
                fresh_optimizer=True,
                hold_rate=self._held_rate(number),
            )
            run.snapshot("ticket", round=number)
            if number == 0:
                group = run.optimizer.param_groups[0]
                ticket.last_rate = group["lr"] / group["initial_lr"]
            if number < rounds:
                ticket.prune_to(self._masks_after(run, number))
                run.snapshot("pruned", round=number + 1)
                if self.params.goes_back_to:
                    ticket.rewind()
        return True

    @hookimpl
    def after_step(self, run: Run) -> None:
        """Keep pruned weights at 0, and note the state to rewind to when it comes."""
        ticket = self.ticket
        ticket.apply()
        if self.rewind_step is not None and not ticket.has_point:
            ticket.steps += 1
            if ticket.steps == self.rewind_step:
                ticket.keep_point()

    @hookimpl(wrapper=True)
    def should_stop(
        self, run: Run, report: EpochReport
    ) -> Generator[None, bool | None, bool | None]:
        """Also end a round's training at an F1 that is called enough."""
        stops = yield
        enough = self.params.stop_at
        if stops or enough is None:
            return stops
        f1 = report.validation["f1"]
        classes = self.params.stop_classes or list(f1)
        return bool(sum(f1[name] for name in classes) / len(classes) >= enough)

    # --- parts of a round ------------------------------------------------------------

    def _start(self, run: Run) -> None:
        import torch

        from .checks import rewind_step

        self.rewind_step = rewind_step(self.params, run)
        if self.params.reinit:
            torch.manual_seed(int(run.rng("new initial weights").integers(2**63)))
            run.model.load_state_dict(run.hook.build_model(run=run).state_dict())
        if self.params.goes_back_to == "init":
            self.ticket.keep_point()

    def _shares(self) -> Iterator[float]:
        """Of the remaining weights, what each round prunes."""
        p = self.params
        if p.schedule == "fixed":
            return fixed(p.rate)
        return lth_ecg(p.rate, p.alpha, p.lowest_rate)

    def _rounds(self) -> int:
        """How many prunings there will be."""
        p = self.params
        if p.reduction_factor is None:
            return p.rounds or DEFAULT_ROUNDS
        sizes = [weight.numel() for weight in self.ticket.weights.values()]
        layers = [sum(sizes)] if p.scope == "global" else sizes
        return rounds_to(p.reduction_factor, layers, self._shares(), p.primitive)

    def _held_rate(self, number: int) -> float | None:
        """The share of the learning rate to hold in a round; None for the schedule."""
        if number == 0 or self.params.rewind != "fine-tuning" or self.params.reinit:
            return None
        return self.params.fine_tuning_rate or self.ticket.last_rate

    def _masks_after(self, run: Run, number: int) -> Masks:
        """What is left after the pruning that ends a round."""
        from .pruning import magnitude_masks

        p = self.params
        if not p.finds_masks:
            return self._masks_of_the_ticket(run, number + 1)
        share = next(islice(self._shares(), number, None))
        return magnitude_masks(
            self.ticket.weights, self.ticket.masks, share, p.scope, p.primitive
        )

    def _masks_of_the_ticket(self, run: Run, number: int) -> Masks:
        """Those of a round of the required cell, or random ones with as many weights in
        each layer.
        """
        from .pruning import masks_in, random_masks, remaining

        required, own = run.required("ticket"), self.ticket.masks
        counts = _remaining_in(required.history, number)
        if self.params.mask == "random":
            return random_masks(own, counts, run.rng("mask"))
        masks = masks_in(required.snapshot("ticket", round=number), own)
        if remaining(masks) != counts:
            raise CellError(
                f"lottery-ticket: weights that the ticket of round {number} kept have "
                "become 0, so its masks can't be told from its weights"
            )
        return masks


def _remaining_in(history: list[dict[str, Any]], number: int) -> dict[str, int]:
    """Weights left of each tensor in a round, as the ticket's history has them."""
    for row in history:
        if row["loops"].get("round") == number and "remaining" in row:
            return dict(row["remaining"])
    raise CellError(f"lottery-ticket: the required ticket has no round {number}")
