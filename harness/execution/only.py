"""`--only`: some cells of a suite, with what they require."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from harness.errors import ConfigError
from harness.plan.plan import PlannedCell

FAILED = "failed"
SHOWN = 20


def chosen(cells: Sequence[PlannedCell], patterns: Sequence[str]) -> list[PlannedCell]:
    """The cells that a pattern fits, and those that they require, in plan order.

    A pattern fits a cell's title or a part of it, the label of its data set, model or
    strategy, or the beginning of its id; `*`, `?` and `[...]` are wildcards. `failed`
    stands for all cells that failed or are blocked.

    Raises
    ------
    ConfigError
        If a pattern fits nothing.
    """
    wanted: set[str] = set()
    problems = []
    for pattern in patterns:
        found = {p.cell.id for p in cells if _fits(p, pattern)}
        # That nothing has failed is no mistake.
        if not found and pattern != FAILED:
            problems.append(f"--only {pattern}: fits no cell; {_there_is(cells)}")
        wanted |= found
    if problems:
        raise ConfigError(problems)
    # Required cells stand before those that need them.
    for planned in reversed(cells):
        if planned.cell.id in wanted:
            wanted |= {needed.id for needed in planned.cell.requires.values()}
    return [p for p in cells if p.cell.id in wanted]


def _fits(planned: PlannedCell, pattern: str) -> bool:
    cell = planned.cell
    if pattern == FAILED:
        return planned.state in ("failed", "blocked")
    labels = [label for label in cell.labels.values() if label]
    if any(fnmatchcase(name, pattern) for name in (cell.title, *labels)):
        return True
    return pattern in cell.title or cell.id.startswith(pattern)


def _there_is(cells: Sequence[PlannedCell]) -> str:
    titles = [p.cell.title for p in cells]
    more = f"\n  and {len(titles) - SHOWN} more" if len(titles) > SHOWN else ""
    return "there is:\n  " + "\n  ".join(titles[:SHOWN]) + more
