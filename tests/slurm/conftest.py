"""One cluster for all tests of a process."""

import pytest
from cluster import Cluster, missing_programs


@pytest.fixture(scope="session")
def cluster():
    missing = missing_programs()
    if missing:
        pytest.skip(f"no SLURM here: {', '.join(missing)} not installed")
    running = Cluster()
    try:
        running.start()
        yield running
    finally:
        running.stop()
