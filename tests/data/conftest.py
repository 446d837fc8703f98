import shutil
from pathlib import Path

import pytest
from small_sets import MatSet, SmallSet, write_mat_set, write_small_set

from harness.data.prepare import prepare
from harness.data.record_index import index_records
from harness.data.splits_loaded import load
from harness.options import DataOptions


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Both small sets, written once; tests that change a file copy them."""
    root = tmp_path_factory.mktemp("recordings")
    write_small_set(root / "small")
    write_mat_set(root / "mat")
    return root


@pytest.fixture
def recordings(written, tmp_path):
    """A copy of the small sets that a test may damage."""
    return Path(shutil.copytree(written, tmp_path / "recordings"))


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def shared_cache(session_cache, monkeypatch):
    """Tests share prepared files, as suites do."""
    monkeypatch.setenv("HARNESS_CACHE", str(session_cache))


@pytest.fixture
def own_cache(shared_cache, tmp_path, monkeypatch):
    """An empty cache, for tests of what is made and kept."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small(written):
    return SmallSet(root=written / "small")


@pytest.fixture
def mat(written):
    return MatSet(root=written / "mat")


@pytest.fixture
def loaded():
    """Index, prepare and load a data set with some options."""

    def run(dataset, *, memory=1 << 30, **options):
        chosen = DataOptions.model_validate(options)
        index = index_records(dataset, chosen)
        prepared = prepare(dataset, index, chosen)
        return load(prepared, index, dataset, chosen, memory_budget_bytes=memory)

    return run
