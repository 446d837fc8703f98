"""What a cell's data, network and budget must have for its parameters to make sense."""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import TYPE_CHECKING

from harness import CellError, ConfigError

from .pruning import prunable_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Run

    from .params import PruningParams


def check(params: PruningParams, run: Run) -> None:
    """Refuse parameters that don't go with the cell.

    Raises
    ------
    ConfigError
        With everything that doesn't.
    CellError
        If nothing of the network can be pruned.
    """
    problems = [*_unknown_modules(params, run), *_unknown_classes(params, run)]
    problems += [*_budget(params, run)]
    if problems:
        raise ConfigError(problems, "lottery-ticket")
    if not prunable_weights(run.model, params.ignore):
        raise CellError(
            "lottery-ticket: there is nothing to prune: the network has no convolution "
            "or linear layer that isn't ignored"
        )


def rewind_step(params: PruningParams, run: Run) -> int | None:
    """The optimizer step after which the state to rewind to is kept, if there is one.

    Epochs count as many steps as all training records make.

    Raises
    ------
    ConfigError
        If the first training ends before it.
    """
    an_epoch = math.ceil(len(run.train) / run.cell.budget.batch_size)
    step = params.rewind_steps
    if params.rewind_epochs is not None:
        step = max(1, round(params.rewind_epochs * an_epoch))
    steps = (params.epochs_per_round or run.cell.budget.epochs) * an_epoch
    if step is not None and step > steps:
        raise ConfigError(
            f"lottery-ticket: the first training takes {steps} steps: there is no step "
            f"{step} to rewind to"
        )
    return step


def _unknown_modules(params: PruningParams, run: Run) -> Iterator[str]:
    known = [name for name, _ in run.model.named_modules() if name]
    layers = [name.removesuffix(".weight") for name in prunable_weights(run.model)]
    for name in params.ignore:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {layers}"
            yield f"ignore: the network has no module {name!r}; {hint}"


def _unknown_classes(params: PruningParams, run: Run) -> Iterator[str]:
    for name in params.stop_classes:
        if name not in run.classes:
            yield f"stop_classes: no class {name!r}; the data set has {run.classes}"


def _budget(params: PruningParams, run: Run) -> Iterator[str]:
    budget = run.cell.budget
    if budget.match is not None:
        yield "it trains in rounds, each for the budget's epochs: match can't be kept"
    ends_at_nothing = budget.schedule.use == "one-cycle" or (
        budget.schedule.use == "cosine" and budget.schedule.final == 0
    )
    if (
        params.rewind == "fine-tuning"
        and params.fine_tuning_rate is None
        and ends_at_nothing
    ):
        yield (
            f"the {budget.schedule.use} schedule ends at a rate of next to nothing, at "
            "which fine-tuning changes nothing; set fine_tuning_rate"
        )
