"""How often Python looks for garbage while a report is made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MANY = 1_000_000
"""Objects between two looks: a report makes millions, of which few refer in rings."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for garbage seldom: that takes a quarter of the time of a large report."""
    before = gc.get_threshold()
    gc.set_threshold(_MANY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
