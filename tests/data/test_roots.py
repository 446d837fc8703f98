from pathlib import Path

import pytest
from small_sets import GeneratedSet, SmallSet

from harness import DataError
from harness.cache import cache_root
from harness.data.roots import dataset_root
from harness.options import DataOptions

pytestmark = pytest.mark.usefixtures("own_cache")


def test_the_cache_is_where_it_is_said_to_be(own_cache, monkeypatch):
    assert cache_root() == own_cache
    monkeypatch.delenv("HARNESS_CACHE")
    assert cache_root().name == "ecg-harness"


def test_a_set_lies_below_harness_data(written, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(written))
    for dataset in (SmallSet, SmallSet()):
        assert dataset_root(dataset, DataOptions(), None) == written / "small"


def test_a_suite_may_name_the_folder(written, monkeypatch):
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    root = dataset_root(SmallSet, DataOptions(root="small"), written)
    assert root == written / "small"
    absolute = DataOptions(root=str(written / "small"))
    assert dataset_root(SmallSet, absolute, Path("elsewhere")) == written / "small"


def test_without_a_folder_the_message_says_how_to_name_one(monkeypatch):
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    with pytest.raises(DataError) as raised:
        dataset_root(SmallSet, DataOptions(), None)
    for part in ("'small'", "HARNESS_DATA", "`root`", "https://example.org/small"):
        assert part in str(raised.value)


def test_a_missing_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    with pytest.raises(DataError) as raised:
        dataset_root(SmallSet, DataOptions(), None)
    for part in (str(tmp_path / "small"), "HARNESS_DATA", "root =", "example.org"):
        assert part in str(raised.value)
    with pytest.raises(DataError, match="nowhere"):
        dataset_root(SmallSet, DataOptions(root="nowhere"), tmp_path)


def test_generated_sets_have_a_folder_for_each_choice_of_parameters(own_cache):
    def root(**params):
        return dataset_root(
            GeneratedSet(GeneratedSet.Params(**params)), DataOptions(), None
        )

    assert root().parent == own_cache / "generated"
    assert root() == root(multi=False) != root(multi=True)
    assert root() == dataset_root(GeneratedSet, DataOptions(), None)
