"""Which stages of a student follow which of its teacher's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from harness import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from harness import Outputs, Run

    from . import DistillationParams


@dataclass(frozen=True)
class Stage:
    """A stage of the student, its counterpart, and its weight w_j.

    `adapter` gives the student's channels the teacher's number.
    """

    name: str
    taught: str
    weight: float
    adapter: nn.Module | None

    def of_student(self, outputs: Outputs) -> Tensor:
        """The student's features: shape (batch, the teacher's channels, steps)."""
        features = outputs.features[self.name]
        return features if self.adapter is None else self.adapter(features)


def paired_stages(run: Run, role: str, params: DistillationParams) -> list[Stage]:
    """The last n stages of the model and of the cell required as `role`, paired from
    the deepest; listed from the shallowest.

    Raises
    ------
    ConfigError
        If a model has fewer, or `stage_weights` isn't of as many as the model has.
    """
    teacher = run.required(role)
    n = params.stages
    own, taught = features_of(run.model), features_of(teacher.model)
    for whose, model, names in (
        ("model", run.model, own),
        ("teacher's model", teacher.model, taught),
    ):
        if len(names) < n:
            raise ConfigError(
                f"distillation: stages = {n}, but the {whose} ({type(model).__name__}) "
                f"has {len(names)} features to distil ({', '.join(names) or 'none'}); "
                "set stages to fewer, or to 0 with a logit_weight"
            )
    weights = params.stage_weights or [1.0] * len(own)
    if len(weights) != len(own):
        raise ConfigError(
            f"distillation: stage_weights has {len(weights)} numbers, but the model "
            f"has {len(own)} stages; give one for each, shallow to deep"
        )
    last = slice(-n, None) if n else slice(0)
    own, taught = own[last], taught[last]
    run.keep_features(*own)
    channels = {name: shape[0] for name, shape in run.feature_shapes(*own).items()}
    wanted = {name: shape[0] for name, shape in teacher.feature_shapes(taught).items()}
    return [
        Stage(name, like, weight, _adapter(run, name, channels[name], wanted[like]))
        for name, like, weight in zip(own, taught, weights[last], strict=True)
    ]


def features_of(model: nn.Module) -> Sequence[str]:
    """Names of the submodules whose outputs can be distilled, shallow to deep."""
    return tuple(getattr(model, "features", ()))


def _adapter(run: Run, name: str, channels: int, wanted: int) -> nn.Module | None:
    if channels == wanted:
        return None
    adapter = nn.Conv1d(channels, wanted, kernel_size=1)
    return run.add_module(f"adapter of {name}", adapter)
