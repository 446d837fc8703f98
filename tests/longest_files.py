"""The files that take longest go first where several processes share the tests.

A process that is left with a long file at the end would be waited for alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
LONGEST = (
    "execution/test_killing.py",
    "slurm/test_slurm_interruptions.py",
    "execution/test_processes.py",
    "execution/test_local.py",
    "execution/test_racing.py",
    "plugins/test_smrd.py",
    "plugins/test_structured_pruning.py",
    "execution/test_broken_plugins.py",
    "execution/test_disk.py",
    "execution/test_half_written.py",
    "slurm/test_slurm_failing.py",
)
"""Those that take half a minute or more, as `pytest --durations=0` tells."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Sort by file in a process that got its tests from another; keep the rest."""
    if not hasattr(config, "workerinput"):
        return
    places = {FOLDER / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))
