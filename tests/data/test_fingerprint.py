import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_sets
from small_sets import SmallSet

from harness import ConfigError, DataError
from harness.data.fingerprint import dataset_fingerprints
from harness.data.record_index import index_records, summarise
from harness.options import DataOptions

HEAVY = {"pandas", "numpy", "torch", "scipy", "wfdb"}

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def request_for(monkeypatch):
    # The set's module imports its neighbours' libraries by name in a fresh process.
    monkeypatch.setenv("PYTHONPATH", str(Path(small_sets.__file__).parent))

    def make(root, **options):
        chosen = DataOptions.model_validate({"root": str(root), **options})
        return {
            "plugin_file": small_sets.__file__,
            "class": "SmallSet",
            "name": "small",
            "version": 1,
            "params": {"multi": False},
            "options": chosen.model_dump(mode="json"),
            "suite_folder": None,
            "source_hash": "0",
            "folder": "small",
            "index_files": ["records.csv"],
        }

    return make


def dataset_fingerprint(request):
    (answer,) = dataset_fingerprints([request])
    if isinstance(answer, DataError):
        raise answer
    return answer


def cached(own_cache):
    return sorted((own_cache / "index").iterdir())


def test_it_is_the_summary_of_the_index(request_for, written):
    root = written / "small"
    summary = dataset_fingerprint(request_for(root))
    assert summary == summarise(index_records(SmallSet(root=root), DataOptions()))


def test_a_hit_imports_nothing_heavy(request_for, written):
    request = request_for(written / "small")
    summary = dataset_fingerprint(request)
    code = (
        "import json, sys\n"
        "from harness.data.fingerprint import dataset_fingerprints\n"
        "(summary,) = dataset_fingerprints([json.load(sys.stdin)])\n"
        "print(json.dumps([summary, sorted(sys.modules)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    again, modules = json.loads(done.stdout)
    assert again == summary
    assert not HEAVY & set(modules)


def test_the_cache_is_asked_again_when_something_changed(
    request_for, recordings, own_cache
):
    request = request_for(recordings / "small")
    first = dataset_fingerprint(request)
    dataset_fingerprint(request)
    assert len(cached(own_cache)) == 1
    table = recordings / "small/records.csv"
    table.write_text(table.read_text().replace("r02,p2,A", "r02,p2,N"))
    assert dataset_fingerprint(request)["fingerprint"] != first["fingerprint"]
    os.utime(table, ns=(0, 0))
    dataset_fingerprint(request)
    dataset_fingerprint({**request, "source_hash": "1"})
    assert len(cached(own_cache)) == 4


def test_a_changed_file_of_ids_is_noticed(request_for, written, tmp_path, own_cache):
    path = tmp_path / "ids.json"
    ids = {
        "train": ["r00", "r02"],
        "validation": ["r04", "r06"],
        "test": ["r08", "r10"],
    }
    path.write_text(json.dumps(ids))
    request = request_for(written / "small", split={"file": "ids.json"})
    request["suite_folder"] = str(tmp_path)
    assert dataset_fingerprint(request)["counts"]["train"]["records"] == 2
    path.write_text(json.dumps({**ids, "train": ["r00", "r02", "r01"]}))
    assert dataset_fingerprint(request)["counts"]["train"]["records"] == 3


def test_suites_in_other_folders_share_an_entry(
    request_for, written, tmp_path, own_cache
):
    request = request_for(written / "small")
    folders = [None, str(tmp_path), str(tmp_path / "other")]
    found = [
        dataset_fingerprint({**request, "suite_folder": folder}) for folder in folders
    ]
    assert found == [found[0]] * 3
    assert len(cached(own_cache)) == 1


def test_files_of_ids_in_other_folders_are_told_apart(
    request_for, written, tmp_path, own_cache
):
    request = request_for(written / "small", split={"file": "ids.json"})
    told = []
    for first in ("r00", "r01"):
        ids = {"train": [first, "r02"], "validation": ["r04", "r06"]}
        ids["test"] = ["r08", "r10"]
        folder = tmp_path / first
        folder.mkdir()
        (folder / "ids.json").write_text(json.dumps(ids))
        os.utime(folder / "ids.json", ns=(0, 0))
        told.append(dataset_fingerprint({**request, "suite_folder": str(folder)}))
    assert told[0] != told[1]


def test_a_damaged_entry_is_made_again(request_for, written, own_cache):
    request = request_for(written / "small")
    summary = dataset_fingerprint(request)
    cached(own_cache)[0].write_text("{")
    assert dataset_fingerprint(request) == summary


def test_mistakes_come_back_as_they_were_raised(request_for, recordings, own_cache):
    root = recordings / "small"
    with pytest.raises(ConfigError, match="no official folds"):
        dataset_fingerprint(request_for(root, split={"folds": "official"}))
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        dataset_fingerprint(request_for(root / "nowhere"))
    (root / "records.csv").unlink()
    with pytest.raises(DataError, match=r"^no file .*records\.csv$"):
        dataset_fingerprint(request_for(root))
    assert not (own_cache / "index").exists()


def test_a_plugin_that_breaks_is_explained_in_one_line(request_for, written, tmp_path):
    plugin = tmp_path / "broken.py"
    plugin.write_text("print('hello')\nraise RuntimeError('of its own')\n")
    request = {**request_for(written / "small"), "plugin_file": str(plugin)}
    with pytest.raises(DataError, match=r"'small'.*RuntimeError: of its own$"):
        dataset_fingerprint(request)


COUNTING = """
from pathlib import Path

from small_sets import SmallSet


class Counted(SmallSet):
    def records(self):
        with Path(__file__).with_name("asked").open("a") as file:
            file.write("once")
        return super().records()
"""


def test_options_of_one_data_set_share_a_listing(request_for, written, tmp_path):
    plugin = tmp_path / "counted.py"
    plugin.write_text(COUNTING)
    root = written / "small"
    ways = [{"leads": ["I"]}, {"leads": ["II"]}, {"split": {"seed": 3}}]
    requests = [
        {**request_for(root, **way), "plugin_file": str(plugin), "class": "Counted"}
        for way in ways
    ]
    found = dataset_fingerprints(requests)
    assert (tmp_path / "asked").read_text() == "once"
    assert found == [dataset_fingerprint(request_for(root, **way)) for way in ways]
    assert dataset_fingerprints(requests) == found
    assert (tmp_path / "asked").read_text() == "once"


def test_one_way_that_fails_leaves_the_others(request_for, written):
    root = written / "small"
    nowhere, good = dataset_fingerprints(
        [request_for(root / "nowhere"), request_for(root)]
    )
    assert isinstance(nowhere, DataError)
    assert good == dataset_fingerprint(request_for(root))
