"""Which rows are on the fronts of a table, as markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.report.wording import escape, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = {
    "relative_compute": "compute",
    "peak_memory_bytes": "peak memory",
    "sparsity": "sparsity (more is better)",
    "latency_seconds": "latency (as timed)",
}
MEANING = (
    "**On the front**, the best by the cost first: no other row's mean macro-F1 is as "
    "high or higher at as much of the cost or less. As any lead, that may be chance."
)


def front_blocks(fronts: Mapping[str, Any]) -> list[str]:
    """Who is on each front; nothing of costs that don't tell rows apart.

    Parameters
    ----------
    fronts
        As `harness.report.front.describe_fronts` gives them.
    """
    lines = [
        f"- {name}: {escape('; '.join(fronts[cost]['rows']))} "
        f"({len(fronts[cost]['rows'])} of {plural(len(fronts[cost]['of']), 'row')})"
        for cost, name in NAMES.items()
        if fronts[cost]["differs"]
    ]
    return [MEANING, "\n".join(lines)] if lines else []
