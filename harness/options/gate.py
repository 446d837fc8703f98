"""What a change may cost before `harness diff --gate` refuses it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from harness.plugin import Parameters


def _limit(value: Any) -> Any:
    number = isinstance(value, int | float) and value is not True
    if not (number and 0 <= value <= 1):
        raise ValueError(f"should be false, or a number from 0 to 1, got {value!r}")
    return value


Limit = Annotated[
    Annotated[float, Field(ge=0, le=1)] | Literal[False], BeforeValidator(_limit)
]


class Gate(Parameters):
    """What is let pass between two leaderboards; never part of a cell's identity.

    A fall of a score is refused if it's beyond the noise and above its threshold. A
    rise of a cost is refused if it's beyond the noise and above its share of what it
    was; FLOPs that don't depend on what was learnt may not rise at all.
    """

    macro_f1: Limit = Field(0.01, description="fall that is let pass; false: any")
    macro_auroc: Limit = Field(False, description="fall that is let pass; false: any")
    accuracy: Limit = Field(False, description="fall that is let pass; false: any")
    training_flops: Limit = Field(
        0.01, description="rise that is let pass, as a share; false: any"
    )
    peak_memory_bytes: Limit = Field(
        0.05, description="rise that is let pass, as a share; false: any"
    )
