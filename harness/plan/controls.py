"""The cells that stand beside another one, so that its claim can be judged.

The baseline and random dropout at recorded counts are the two strategies that the
core itself calls by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.cell import BASELINE, Cell, PluginChoice
from harness.errors import ConfigError, did_you_mean
from harness.options.budget import MATCHED
from harness.plan.complete import Completion
from harness.plan.requirements import ask_strategies

RANDOM = "smrd"
TREATMENT = ("pack", "average_over", "reestimate_batchnorm")
"""What `RANDOM` does with kept samples as the strategy did that it replaces."""
COUNTS = "counts"
"""The role under which `RANDOM` finds the cell whose counts it repeats."""


def equal_budget(cell: Cell) -> dict[str, Cell]:
    """The baseline with as many samples backpropagated as the cell, and the baseline
    with as many FLOPs, its schedule stretched to that length.
    """
    decisions = [choice for choice in cell.strategies if choice.decision_only]
    strategies = (PluginChoice.named(BASELINE, {}), *decisions)
    plain = cell.replace(strategies=strategies, given={MATCHED: cell})
    return {
        "baseline at equal epochs": plain.with_budget(
            match={"what": "effective-epochs"}, early_stopping=None
        ),
        "baseline at equal FLOPs": plain.with_budget(
            match={"what": "flops"}, early_stopping=None
        ),
    }


def random_instead(cell: Cell, name: str) -> dict[str, Cell]:
    """The cell with random dropout instead of the strategy `name`: of each batch as
    many samples as that one kept, so as many steps, too.
    """
    (replaced,) = (choice for choice in cell.strategies if choice.name == name)
    treated = {key: replaced.params[key] for key in TREATMENT if key in replaced.params}
    random = PluginChoice.named(RANDOM, treated)
    strategies = tuple(random if c.name == name else c for c in cell.strategies)
    given = {**cell.given, COUNTS: cell}
    return {"random at equal counts": cell.replace(strategies=strategies, given=given)}


@dataclass(frozen=True)
class Control:
    """A cell that stands beside another one; `name` says as what."""

    cell: Cell
    beside: Cell
    name: str


SELECTING_HOOKS = ("select_epoch", "select_samples")


def controls_of(
    cells: Sequence[Cell],
    wanted: Mapping[str, bool | Sequence[str]],
    completion: Completion,
) -> list[Control]:
    """The controls of a suite's cells.

    Parameters
    ----------
    wanted
        Which ones, by the label of the strategy that they stand beside: all, none, or
        those of some names.

    Raises
    ------
    ConfigError
        If a strategy's `controls` fails, or has none of a name that is wanted.
    """
    asked = [cell for cell in cells if wanted[str(cell.labels["strategy"])]]
    offered: list[dict[str, Cell]] = [{} for _ in asked]
    for i, cell in enumerate(asked):
        offered[i] |= _by_default(cell, completion)
    for choice, i, named in ask_strategies("controls", asked, completion):
        twice = sorted(set(named) & set(offered[i]) - set(equal_budget(asked[i])))
        if twice:
            raise ConfigError(
                f"{asked[i].title}: {choice.name!r} and another strategy both have a "
                f"control {twice[0]!r}"
            )
        offered[i] |= named
    return [
        Control(_completed(control, cell, name, completion), cell, name)
        for cell, found in zip(asked, offered, strict=True)
        for name, control in _chosen(found, cell, wanted).items()
    ]


def _by_default(cell: Cell, completion: Completion) -> dict[str, Cell]:
    """What stands beside a cell that selects samples, where its strategies that do
    don't say so themselves.
    """
    selecting = []
    for choice in cell.strategies:
        hooks = completion.catalog.get("strategy", choice.name).hooks
        if "controls" not in hooks and any(hook in hooks for hook in SELECTING_HOOKS):
            selecting.append(choice.name)
    if not selecting:
        return {}
    # Of several that select, none alone has kept what was kept.
    alone = random_instead(cell, selecting[0]) if len(selecting) == 1 else {}
    return equal_budget(cell) | alone


def _chosen(
    found: Mapping[str, Cell], cell: Cell, wanted: Mapping[str, bool | Sequence[str]]
) -> dict[str, Cell]:
    label = str(cell.labels["strategy"])
    names = wanted[label]
    if isinstance(names, bool):
        return dict(found)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise ConfigError(
            f"[[strategy]] ({label}) controls: it has no control {unknown[0]!r}; "
            f"{did_you_mean(unknown[0], found)}"
        )
    return {name: found[name] for name in names}


def _completed(control: Cell, cell: Cell, name: str, completion: Completion) -> Cell:
    where = f"control {name!r} of {cell.title}"
    whole = completion.completed(control, cell, where)
    label = f"{cell.labels['strategy']}: {name}"
    return whole.replace(labels={**whole.labels, "strategy": label})
