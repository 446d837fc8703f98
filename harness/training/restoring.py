"""A run that isn't trained but handed finished weights, to be judged."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from harness.cell import Cell
from harness.data.loading import DataSplits
from harness.errors import ConfigError
from harness.options import Execution
from harness.training.cell import make_run, set_determinism
from harness.training.run import Run

SHOWN = 5


def restored_run(cell: Cell, splits: DataSplits, weights: Mapping[str, Tensor]) -> Run:
    """The cell's model, as its strategies build and set it up, with those weights.

    Raises
    ------
    ConfigError
        If the weights aren't those of the model.
    """
    set_determinism(cell.budget.threads)
    # A run keeps its files in a folder; this one leaves none.
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(cell, splits, Path(folder), Execution())
        run.set_model(run.hook.build_model(run=run))
        run.hook.setup(run=run)
    problems = _mismatches(run.model.state_dict(), weights)
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise ConfigError(
            [*problems[:SHOWN], *more], "the weights don't fit the cell's model"
        )
    run.model.load_state_dict(dict(weights))
    return run


def _mismatches(
    model: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> list[str]:
    problems = [
        f"{name}: not in the file" for name in sorted(set(model) - set(weights))
    ]
    problems += [f"{n}: not in the model" for n in sorted(set(weights) - set(model))]
    for name in sorted(set(model) & set(weights)):
        expected, found = tuple(model[name].shape), tuple(weights[name].shape)
        if expected != found:
            problems.append(f"{name}: shape {found}, the model has {expected}")
    return problems
