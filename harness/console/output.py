"""Where words for people go: results to standard output, news to standard error."""

from __future__ import annotations

from functools import cache

from rich.console import Console


@cache
def out() -> Console:
    """For what was asked for: it may be piped."""
    return Console(highlight=False, soft_wrap=True)


@cache
def news() -> Console:
    """For progress, warnings and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)
