"""Whether several strategies can work on one run."""

from __future__ import annotations

from collections.abc import Sequence

from harness.catalog.declaration import Declaration
from harness.hooks import TrainingHooks

FIRST_RESULT_HOOKS = {
    name
    for name, method in vars(TrainingHooks).items()
    if getattr(method, "harness_spec", {}).get("firstresult")
}


def conflicts(strategies: Sequence[Declaration]) -> list[str]:
    """Why the strategies can't be composed; empty if they can.

    Two that answer the same first-result hook would silently hide one another, unless
    one of them is declared a wrapper.
    """
    found = []
    for hook in sorted(FIRST_RESULT_HOOKS):
        plain = [s.name for s in strategies if s.hooks.get(hook) is False]
        if len(plain) > 1:
            found.append(
                f"{plain[0]!r} and {plain[1]!r} both implement the hook {hook}: only "
                "one can answer, unless the other is declared hookimpl(wrapper=True)"
            )
    dropping = [s.name for s in strategies if "average_over" in _parameters(s)]
    if len(dropping) > 1:
        found.append(
            f"{dropping[0]!r} and {dropping[1]!r} both say how dropped samples are "
            "treated: only one can"
        )
    names = [s.name for s in strategies]
    found += [
        f"{n!r} is named twice"
        for n in sorted({n for n in names if names.count(n) > 1})
    ]
    return found


def _parameters(strategy: Declaration) -> set[str]:
    return set(strategy.schema.get("properties", {}))
