"""Where words for people go: results to standard output, news to standard error.

Tables are aligned where people look, and free of colour where they are piped.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import click
from rich.console import Console
from tabulate import tabulate


@cache
def out() -> Console:
    """For what was asked for: it may be piped."""
    return Console(highlight=False, soft_wrap=True)


@cache
def news() -> Console:
    """For progress, warnings and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


STATE_COLOURS = {
    "done": "green",
    "failed": "red",
    "blocked": "red",
    "stale": "yellow",
    "running": "cyan",
}


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The rows under their headings; a thousand of them take some milliseconds."""
    return tabulate(rows, headers=headings, tablefmt="simple", disable_numparse=True)


def coloured(state: str) -> str:
    """A state in its colour; `click.echo` takes colours out of what is piped."""
    return click.style(state, fg=STATE_COLOURS.get(state))


def quantity(value: float | None, unit: str = "") -> str:
    """A number with three digits and a prefix: `1.23 GFLOP`; `-` for None.

    >>> quantity(1234567, "B")
    '1.23 MB'
    """
    if value is None:
        return "-"
    for prefix in ("", "k", "M", "G", "T", "P"):
        if abs(value) < 999.5:
            return f"{value:.3g} {prefix}{unit}".rstrip()
        value /= 1000
    return f"{value:.3g} E{unit}"
