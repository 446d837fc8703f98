"""A run that isn't trained but handed finished weights, to be judged."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from harness.cell import Cell
from harness.data.splits_loaded import DataSplits
from harness.errors import ConfigError
from harness.options import Execution
from harness.results.requirement import Requirement
from harness.training.run import Run
from harness.training.saved_cell import mismatches
from harness.training.snapshots import shape_like
from harness.training.train_cell import make_run, set_determinism

SHOWN = 5


def restored_run(
    cell: Cell,
    splits: DataSplits,
    weights: Mapping[str, Tensor],
    requirements: Mapping[str, Requirement],
) -> Run:
    """The cell's model, as its strategies build and set it up, with those weights.

    Required cells that aren't there may be asked for, and fail when they are called.

    Raises
    ------
    ConfigError
        If the weights aren't those of the model.
    """
    set_determinism(cell.budget.threads)
    # A run keeps its files in a folder; this one leaves none.
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(cell.replace(processes=1), splits, Path(folder), Execution())
        run.requirements = requirements
        run.set_model(run.hook.build_model(run=run))
        run.hook.setup(run=run)
    for role, requirement in requirements.items():
        if requirement.folder is None and requirement.cell.model is not None:
            run.required(role).refuse()
    shape_like(run, weights)
    problems = mismatches(run.model.state_dict(), weights)
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise ConfigError(
            [*problems[:SHOWN], *more], "the weights don't fit the cell's model"
        )
    run.model.load_state_dict(dict(weights))
    return run
