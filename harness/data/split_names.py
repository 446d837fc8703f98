"""The names of the three splits, in their order."""

from __future__ import annotations

from typing import get_args

from harness.plugin import SplitName

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
