"""The files that take longest go first where several processes share the tests.

A process that is left with a long file at the end would be waited for alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
LONGEST = (
    "execution/test_killing.py",
    "execution/test_processes.py",
    "slurm/test_slurm_interruptions.py",
    "execution/test_local.py",
    "execution/test_racing.py",
    "execution/test_disk.py",
)
"""Those that take 20 seconds or more, as `pytest --durations` tells."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Sort by file in a process that got its tests from another; keep the rest."""
    if not hasattr(config, "workerinput"):
        return
    places = {FOLDER / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))
