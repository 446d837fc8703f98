"""Blocks of markdown that pages are made of: tables, and what folds away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tabulate import tabulate

FOLD, FOLD_END = "<details>\n<summary>", "</details>"


def grid(
    lines: Iterable[Sequence[str]], headings: Sequence[str], left: Iterable[str] = ()
) -> str:
    """A table of texts, which are escaped already.

    Parameters
    ----------
    left
        The headings of columns that are aligned to the left; others are to the right.
    """
    named = set(left)
    table: str = tabulate(
        list(lines),
        headers=headings,
        tablefmt="pipe",
        colalign=["left" if name in named else "right" for name in headings],
        disable_numparse=True,
    )
    return table


def folded(title: str, *blocks: str) -> list[str]:
    """Blocks that are shown once their title, which is escaped HTML, is opened."""
    return [f"{FOLD}{title}</summary>", *blocks, FOLD_END]
