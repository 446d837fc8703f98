"""How long to train so as to spend what another cell spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.cost.flops import TWIN_ROWS, Call, TensorSpec, count
from harness.data.batch import SIDE_FEATURES
from harness.errors import CellError, DataError
from harness.options.budget import MATCHED, Match
from harness.results.requirement import Requirement, part, required_cost
from harness.training.forward import takes_lengths, takes_side

if TYPE_CHECKING:
    from harness.training.run import Run


def matched_samples(run: Run, match: Match) -> int:
    """Samples of plain training, forward and backward, that cost what the cell did to
    which the run is matched.

    Of a FLOP budget, all that the other cell needed counts: what it required itself,
    and what it sent forward only.

    Raises
    ------
    DataError
        If the other cell isn't done, or its FLOPs couldn't be counted.
    CellError
        If those of the run's own model can't be counted.
    """
    other = run.requirements[MATCHED]
    cost = part(other.result(), "cost", other)
    if match.what == "effective-epochs":
        return max(1, int(cost["backward_samples"]))
    target = _flops_of(other)
    return max(1, round(target / _flops_of_a_sample(run)))


def _flops_of(other: Requirement) -> int:
    cost = part(other.result(), "cost", other)
    total = required_cost(other.own(), cost)["total"]["training_flops"]
    if total is None:
        raise DataError(f"{other}: its FLOPs couldn't be counted, so none can match it")
    return int(total)


def _flops_of_a_sample(run: Run) -> float:
    """Of forward and backward of the run's model; of whole records, on average."""
    spec = TensorSpec((run.leads, _samples(run)), torch.float32, False, True)
    lengths = TensorSpec((), torch.int64, False, True)
    whole = run.train.window is None and takes_lengths(run.model)
    beside = TensorSpec((len(SIDE_FEATURES),), torch.float32, False, True)
    side = (("side", beside),) if run.train.side and takes_side(run.model) else ()
    trainable = tuple(p.requires_grad for p in run.model.parameters())
    call = Call((spec, lengths) if whole else (spec,), side, True, True, trainable)
    found = count(run.model, call)
    if found.failure or not found.backward:
        reason = found.failure or "it has no backward pass"
        raise CellError(f"the model's FLOPs can't be counted: {reason}")
    return (found.forward + found.backward) / TWIN_ROWS


def _samples(run: Run) -> int:
    """Of a record in a batch; of whole records, the mean with their padding."""
    if run.train.window is not None:
        return run.train.window
    bucket = run.train.bucket
    return round(float(np.mean(-(-run.train.lengths // bucket) * bucket)))
