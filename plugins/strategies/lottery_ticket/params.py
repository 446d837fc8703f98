"""What a suite may set of the strategy, and the settings of published systems."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from harness import Field, Preset, Strategy

DEFAULT_ROUNDS = 10


class PruningParams(Strategy.Params):
    """How much is pruned, of what, how long, and from where training goes on."""

    rate: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share of the remaining weights that a round prunes; of "
        '"lth-ecg" the first round\'s',
    )
    schedule: Literal["fixed", "lth-ecg"] = Field(
        "fixed",
        description="the same share each round, or p <- p^(1/alpha) with p in percent, "
        "which tends to 1 percent",
    )
    alpha: float = Field(1.1, gt=1, description='of schedule = "lth-ecg"')
    lowest_rate: float = Field(
        0.0, ge=0, lt=1, description='share below which "lth-ecg" doesn\'t go'
    )
    rounds: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description=f"number of prunings; default {DEFAULT_ROUNDS}, unless "
        "reduction_factor is given",
    )
    reduction_factor: float | None = Field(
        None,
        gt=1,
        description="prune until prunable weights / remaining ones reaches it",
    )
    epochs_per_round: int | None = Field(
        None, ge=1, le=100_000, description="default: the budget's epochs"
    )
    rewind: Literal["init", "iteration", "learning-rate", "fine-tuning"] = Field(
        "init", description="where training goes on after a pruning"
    )
    rewind_steps: int | None = Field(
        None, ge=1, description='optimizer steps k of rewind = "iteration"'
    )
    rewind_epochs: float | None = Field(
        None,
        gt=0,
        description="the same in epochs of all training records, rounded to steps",
    )
    fine_tuning_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of the budget's learning rate for fine-tuning; default: "
        "what the first training ended with",
    )
    scope: Literal["global", "layer"] = Field(
        "global", description="one threshold for all layers, or one for each"
    )
    ignore: list[str] = Field(
        default_factory=list,
        description="modules of the network that are never pruned",
    )
    primitive: Literal["exact", "published"] = Field(
        "exact",
        description="remove the share rounded up; or, as published, one weight more "
        "and all that equal it in magnitude",
    )
    mask: Literal["magnitude", "random"] = Field(
        "magnitude",
        description="random: a control, with as many weights of each layer as the "
        "magnitude ticket has",
    )
    reinit: bool = Field(
        False,
        description="a control: each round trains from the same new random weights, "
        "under the ticket's masks",
    )
    stop_at: float | None = Field(
        None,
        gt=0,
        le=1,
        description="end a round as soon as the mean F1 on validation reaches it",
    )
    stop_classes: list[str] = Field(
        default_factory=list, description="of that mean; default: all classes"
    )

    @property
    def finds_masks(self) -> bool:
        """Whether masks come from the magnitudes of the cell's own weights."""
        return self.mask == "magnitude" and not self.reinit

    @property
    def goes_back_to(self) -> Literal["init", "iteration"] | None:
        """The state that weights are set back to after a pruning, if they are."""
        if self.rewind in ("init", "iteration"):
            return self.rewind
        return "init" if self.reinit else None

    @model_validator(mode="after")
    def _pruning_is_defined(self) -> Self:
        if self.rounds is not None and self.reduction_factor is not None:
            raise ValueError("give rounds or reduction_factor, not both")
        if self.schedule == "lth-ecg" and self.rate < 0.01:
            raise ValueError(
                'schedule = "lth-ecg" tends to 1 percent: a rate below 0.01 would grow'
            )
        if self.stop_classes and self.stop_at is None:
            raise ValueError("stop_classes needs stop_at")
        return self

    @model_validator(mode="after")
    def _rewinding_is_defined(self) -> Self:
        points = [self.rewind_steps, self.rewind_epochs]
        given = sum(point is not None for point in points)
        if self.rewind == "iteration" and given != 1:
            raise ValueError(
                'rewind = "iteration" needs one of rewind_steps and rewind_epochs'
            )
        if self.rewind != "iteration" and given:
            raise ValueError(
                'rewind_steps and rewind_epochs are for rewind = "iteration"'
            )
        if self.rewind != "fine-tuning" and self.fine_tuning_rate is not None:
            raise ValueError('fine_tuning_rate is for rewind = "fine-tuning"')
        return self


_LOOP = "30 % of the remaining weights in each of the published loop's 11 rounds"

PRESETS = {
    "frankle-carbin": Preset(
        {"rate": 0.3, "rounds": 11, "rewind": "init"},
        f"{_LOOP}, rewound to the initial weights: 50.6 times fewer in the end",
    ),
    "published-fine-tuning": Preset(
        {"rate": 0.3, "rounds": 11, "rewind": "learning-rate"},
        f"{_LOOP}, weights kept, a new optimizer at the full rate: what is published "
        "as fine-tuning is learning-rate rewinding",
    ),
    "lth-ecg": Preset(
        {"schedule": "lth-ecg", "rate": 0.3, "reduction_factor": 42.0},
        "LTH-ECG: 30 percent, then p^(1/1.1) percent, to 42 times fewer weights in 227 "
        "rounds",
    ),
    "faithful": Preset(
        {
            "schedule": "lth-ecg",
            "rate": 0.3,
            "reduction_factor": 42.0,
            "primitive": "published",
            "stop_at": 0.826,
            "stop_classes": ["N", "A", "O"],
        },
        "LTH-ECG on CinC 2017 with the published recipe, threshold and stop rule",
        footnote="as published: a round ends as soon as the F1 on validation is 0.826, "
        "so rounds differ in length, and each pruning removes one weight more than "
        "asked for; it shows the method, not what it is worth",
        budget={
            "epochs": 20,
            "batch_size": 32,
            "optimizer": {"use": "adam", "lr": 1e-3},
            "schedule": {"use": "plateau", "factor": 0.1, "patience": 2},
            "weights": "last",
        },
    ),
}
