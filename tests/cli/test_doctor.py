import shutil
from importlib.metadata import version
from threading import Event, Thread


def test_it_shows_versions_machine_and_folders(harness, shared_cache):
    ended = harness("doctor")

    assert ended.code == 0
    for word in ("torch", version("torch"), "accelerate", "cores", "GPUs"):
        assert word in ended.out
    assert str(shared_cache) in ended.out
    assert "not set" in ended.out
    assert "physionet.org" in ended.out


def test_recordings_that_are_there_are_found(harness, tmp_path, monkeypatch):
    (tmp_path / "ptbxl").mkdir()
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))

    lines = harness("doctor").out.splitlines()

    (ptbxl,) = [line for line in lines if "data set ptbxl" in line]
    assert ptbxl.startswith("ok")
    (cinc,) = [line for line in lines if "data set cinc2017" in line]
    assert "not found" in cinc


def test_results_that_cannot_be_written_are_missing(harness, tmp_path):
    (tmp_path / "file").write_text("")

    ended = harness("doctor", "--runs", tmp_path / "file" / "runs")

    assert ended.code == 1
    assert "can't be written" in ended.out
    assert not (tmp_path / "runs").exists()


def test_broken_plugins_are_told(harness, tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("1 +\n")
    monkeypatch.setenv("HARNESS_PLUGINS", str(tmp_path))

    ended = harness("doctor")

    assert ended.code == 0
    assert "plugin broken" in ended.out


def test_a_cache_that_others_work_in_is_measured(harness, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    for i in range(1000):
        (cache / f"kept-{i}").mkdir(parents=True)
    over = Event()

    def work():
        while not over.is_set():
            folders = [cache / f".new-{i}" for i in range(20)]
            for folder in folders:
                folder.mkdir()
                (folder / "record").write_bytes(b"x")
            for folder in reversed(folders):
                shutil.rmtree(folder)

    worker = Thread(target=work)
    worker.start()
    try:
        ended = [harness("doctor") for _ in range(4)]
    finally:
        over.set()
        worker.join()

    assert [outcome.code for outcome in ended] == [0, 0, 0, 0]
