"""Which failures are worth another attempt."""

from __future__ import annotations

from harness.execution.failure import Kind

RETRIED: frozenset[Kind] = frozenset({"out-of-memory", "killed", "infrastructure"})
"""What another moment may not bring again: memory that others held, a kill from
outside, a disk or network that failed. Whatever the suite, the data or a plugin says
will be the same next time, and so will a limit that was set.
"""

MOST_REQUEUES = 20
"""Of one cell that others keep stopping: a machine that never lets it work."""


def may_retry(kind: Kind) -> bool:
    """Whether another attempt at a cell that failed so may end otherwise."""
    return kind in RETRIED
