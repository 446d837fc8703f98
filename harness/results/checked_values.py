"""What a value in a file of a runs folder may be: bounded, and never infinite."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Bounded, so that no ratio or sum of them can overflow.
Number = Annotated[int | float, Field(ge=0, le=1e30)]
Share = Annotated[float, Field(ge=0, le=1)]
# Whole numbers that a float can hold, so that no mean of them can overflow.
Whole = Annotated[int, Field(ge=0, le=1 << 53)]
Seed = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Place = Annotated[int | float, Field(ge=-1e30, le=1e30)]
Counts = dict[str, Whole]
DEEPEST = 20


def _shallow(value: Any, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise ValueError("is nested too deeply")
    inner = value.values() if isinstance(value, dict) else value
    for item in inner if isinstance(value, dict | list) else ():
        _shallow(item, depth + 1)
    return value


# What a plugin or a later version may say as it likes, as long as it can be shown.
Plain = Annotated[Any, AfterValidator(_shallow)]


class File(BaseModel):
    """A file, or a part of one; keys that aren't shown are ignored."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, strict=True, allow_inf_nan=False
    )
