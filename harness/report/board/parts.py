"""Parts of a leaderboard as values: figures over seeds, intervals, differences.

None always means "not measured".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from harness.results.checked_values import File, Whole

Figure = Annotated[int | float, Field(ge=-1e36, le=1e36)]
"""Wider than what a cell may tell, so that sums over cells fit, too."""
Verdict = Literal[
    "better",
    "worse",
    "no measurable difference",
    "too few seeds",
    "too few records",
    "not measured",
]
Holds = Literal["seeds", "seeds and records"]
"""What an interval holds."""


class Part(File):
    """A part of a leaderboard, and of its JSON file.

    The file has some fields only where they were set (`IF_SET`), or say something
    (`IF_ANY`).
    """

    IF_SET: ClassVar[frozenset[str]] = frozenset()
    IF_ANY: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _serialised(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        for name in self.IF_SET - self.model_fields_set:
            values.pop(name, None)
        for name in self.IF_ANY:
            if not values[name]:
                del values[name]
        return values


class Summary(Part):
    """A figure over seeds: mean, sample standard deviation (n - 1; None for one value),
    range where it was asked for, and how many values there are.
    """

    IF_SET = frozenset({"min", "max"})

    mean: Figure
    spread: Figure | None = None
    min: Figure | None = None
    max: Figure | None = None
    n: Whole


class FigureInterval(Part):
    """The 95 % interval of a mean over seeds; its ends are None for one seed.

    `patients_error` is the standard error that comes from which patients are in the
    test split; None where records aren't known.
    """

    low: Figure | None
    high: Figure | None
    patients_error: Figure | None


class RowIntervals(Part):
    """Intervals of a row's figures by name, and of F1 by class."""

    holds: Holds
    figures: dict[str, FigureInterval]
    f1: dict[str, FigureInterval]


class Gain(Part):
    """Paired differences of a figure, and the 95 % interval of their mean."""

    difference: Summary | None
    low: Figure | None = None
    high: Figure | None = None


class Comparison(Gain):
    """One row's macro-F1 minus another's on the test split, pair by pair.

    Attributes
    ----------
    difference
        Over the pairs that are done; None without any.
    low, high
        None for one pair.
    smallest_shown
        The difference that so many test patients could show; None where they aren't
        known.
    ahead
        Pairs in which the first is higher.
    pairs
        How many are planned.
    others
        The other figures that are compared, by name, those that are known.
    """

    holds: Holds | None = None
    smallest_shown: Figure | None = None
    ahead: Whole = 0
    pairs: Whole = 0
    verdict: Verdict = "not measured"
    others: dict[str, Gain] = {}


class BaselineComparison(Comparison):
    """A row against the baseline; `f1` by class."""

    f1: dict[str, Gain] = {}


class ControlComparison(Comparison):
    """A row against one of its controls: labels of both rows, and as what the control
    stands there.
    """

    strategy: str
    control: str
    name: str


class TimeToTarget(Part):
    """What a row's cells had computed when they first scored as the baseline's best.

    Attributes
    ----------
    seeds
        How many can be compared.
    reached
        How many of them got there; the figures are over these alone.
    effective_epochs
        Of a row's own training.
    training_flops
        Required cells' included.
    relative_compute
        Those over what the baseline spent to reach its own best.
    """

    seeds: Whole
    reached: Whole
    effective_epochs: Summary | None
    training_flops: Summary | None
    relative_compute: Summary | None


class Front(Part):
    """The strategies that take part in a Pareto front, and those on it, best by the
    cost first; whether the cost tells rows apart at all.
    """

    of: list[str]
    rows: list[str]
    differs: bool


class FlatFigures(Part):
    """A part whose file has its figures beside its other keys.

    `FIGURES` are the keys of a file that are figures.
    """

    FIGURES: ClassVar[frozenset[str]] = frozenset()

    figures: Mapping[str, Any] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _gathered(
        cls, value: Any, handler: ModelWrapValidatorHandler[FlatFigures]
    ) -> FlatFigures:
        if isinstance(value, Mapping) and "figures" not in value:
            names = cls.FIGURES & value.keys()
            value = {
                **{k: v for k, v in value.items() if k not in names},
                "figures": {k: value[k] for k in value if k in names},
            }
        return handler(value)

    @model_serializer(mode="wrap")
    def _serialised(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = super()._serialised(handler)
        return {**values.pop("figures"), **values}
