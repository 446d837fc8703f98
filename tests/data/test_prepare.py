import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import h5py
import numpy as np
import pytest
from small_sets import GeneratedSet, MatSet, SmallSet, beats

from harness import DataError
from harness.catalog import load_plugin_class
from harness.data import prepare as prepare_module
from harness.data.prepare import prepare
from harness.data.prepared_file import PreparedRecords, read_contents
from harness.data.record_index import index_records
from harness.data.roots import dataset_root
from harness.options import DataOptions

pytestmark = pytest.mark.usefixtures("own_cache")


def run(dataset, *, workers=1, progress=None, **options):
    chosen = DataOptions.model_validate(options)
    index = index_records(dataset, chosen)
    return prepare(dataset, index, chosen, workers=workers, progress=progress)


def read_all(prepared, leads):
    records = PreparedRecords(prepared.path, leads)
    signals = {i: records.read(i) for i in read_contents(prepared.path).ids}
    records.close()
    return signals


def in_another_process(root):
    return run(SmallSet(root=root)).path


def test_signals_are_stored_as_they_were_recorded(small, own_cache):
    prepared = run(small)
    assert prepared.path.parent == own_cache / "prepared"
    signals = read_all(prepared, small.leads)
    assert len(signals) == 38
    assert "r19" not in signals
    assert signals["r07"].shape == (2, 200)
    assert np.abs(signals["r07"] - beats(7)).max() < 1e-3


def test_the_layout_of_the_file(mat):
    prepared = run(mat, sampling_rate=150)
    with h5py.File(prepared.path) as file:
        assert file["signals"].dtype == np.float32
        assert file["signals"].ndim == 1
        assert file["offsets"][3] == file["lengths"][:3].sum()
        assert file.attrs["sampling_rate"] == 150
        assert list(file.attrs["leads"]) == [b"I"]
        assert file.attrs["key"] == prepared.key


def test_records_of_unequal_length_are_resampled(mat):
    signals = read_all(run(mat, sampling_rate=150), mat.leads)
    assert signals["m00"].shape == (1, 300)
    assert signals["m01"].shape == (1, 369)


def test_processes_decode_the_same_as_one(small, monkeypatch, tmp_path):
    options = {"sampling_rate": 50, "filter": {"highpass": 0.5, "lowpass": 40.0}}
    alone = run(small, **options)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "other"))
    seen = []
    together = run(small, workers=2, progress=lambda *x: seen.append(x), **options)
    assert together.path != alone.path
    assert together.path.name == alone.path.name
    first, second = (read_all(p, small.leads) for p in (alone, together))
    assert list(first) == list(second)
    assert all(np.array_equal(first[i], second[i]) for i in first)
    assert seen[-1] == (38, 38)


def test_a_drop_in_file_is_decoded_in_other_processes(written, tmp_path):
    file = tmp_path / "dropped.py"
    file.write_text(
        "import numpy as np\n"
        "from small_sets import SmallSet\n"
        "class Dropped(SmallSet):\n"
        "    name = 'dropped'\n"
        "    def read(self, record):\n"
        "        return np.arange(400, dtype='f4').reshape(2, 200)\n"
    )
    dataset = load_plugin_class(file, "Dropped")(root=written / "small")
    signals = read_all(run(dataset, workers=2), dataset.leads)
    assert signals["r00"][1, 0] == 200


def test_a_prepared_file_is_used_again(small):
    first = run(small)
    before = first.path.stat().st_mtime_ns
    calls = []
    again = run(small, progress=lambda *x: calls.append(x))
    assert again == first
    assert first.path.stat().st_mtime_ns == before
    assert calls == []


def test_leads_normalising_duration_and_split_share_a_file(small):
    paths = {
        run(small, **options).path
        for options in (
            {},
            {"leads": ["II"], "normalise": "train-lead", "seconds": 1.0},
            {"split": {"seed": 5}},
        )
    }
    assert len(paths) == 1


def test_an_edited_plugin_has_a_file_of_its_own(written, tmp_path):
    source = (
        "from small_sets import SmallSet\n"
        "class Dropped(SmallSet):\n"
        "    def read(self, record):\n"
        "        return super().read(record) * FACTOR\n"
    )
    signals = []
    for factor in (1, 2):
        file = tmp_path / str(factor) / "dropped.py"
        file.parent.mkdir()
        file.write_text(source.replace("FACTOR", str(factor)))
        dataset = load_plugin_class(file, "Dropped")(root=written / "small")
        signals.append(read_all(run(dataset), dataset.leads)["r00"])
    assert np.array_equal(2 * signals[0], signals[1])


def test_rate_and_filter_have_files_of_their_own(small):
    paths = {
        run(small, **options).path
        for options in ({}, {"sampling_rate": 50}, {"filter": {"highpass": 0.5}})
    }
    assert len(paths) == 3


@pytest.mark.parametrize("damage", ["truncated", "emptied", "other"])
def test_a_damaged_file_is_made_again(small, damage):
    path = run(small).path
    whole = read_all(run(small), small.leads)
    if damage == "other":
        path.unlink()
        with h5py.File(path, "w") as file:
            file["something"] = 1
    else:
        keep = 0 if damage == "emptied" else path.stat().st_size // 2
        with path.open("r+b") as file:
            file.truncate(keep)
    mended = read_all(run(small), small.leads)
    assert all(np.array_equal(whole[i], mended[i]) for i in whole)


def test_a_failure_leaves_nothing_behind(small, own_cache):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(small, progress=stop)
    assert list((own_cache / "prepared").iterdir()) == []


def test_two_processes_may_prepare_at_once(written):
    root = written / "small"
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        paths = list(pool.map(in_another_process, [root, root]))
    assert paths[0] == paths[1]
    assert [p.name for p in paths[0].parent.iterdir()] == [paths[0].name]
    assert len(read_all(run(SmallSet(root=root)), SmallSet.leads)) == 38


class DeadlySet(SmallSet):
    """The small set with a record that kills the process that reads it."""

    def read(self, record):
        os._exit(1)


class Faulty(SmallSet):
    """The small set with records that are bad in every way."""

    name = "faulty"

    def read(self, record):
        signal = super().read(record)
        if record.name == "r02":
            signal[0, 5] = np.nan
        elif record.name == "r03":
            signal = signal[:1]
        elif record.name == "r04":
            signal = signal[:, :0]
        elif record.name == "r05":
            signal[:] = 3
        elif record.name == "r06":
            signal[1] = 0
        elif record.name == "r07":
            signal = signal[:, :150]
        elif record.name == "r08":
            raise ZeroDivisionError("odd header")
        return signal


@pytest.fixture
def faulty(recordings):
    (recordings / "small/data/r00.dat").unlink()
    (recordings / "small/data/r01.dat").write_bytes(b"abc")
    return Faulty(root=recordings / "small")


def test_bad_records_are_an_error_that_lists_them(faulty):
    with pytest.raises(DataError) as raised:
        run(faulty)
    message = str(raised.value)
    assert message.startswith(
        "dataset 'faulty': 9 bad record(s):\n  r00: no file data/"
    )
    assert 'on_bad_record = "skip"' in message


def test_bad_records_can_be_skipped_and_are_listed_with_reasons(faulty):
    prepared = run(faulty, on_bad_record="skip")
    reasons = {b["record"]: b["reason"] for b in prepared.bad}
    assert reasons.pop("r01")
    assert reasons == {
        "r00": "no file data/r00.dat",
        "r02": "1 samples are not finite",
        "r03": "shape (1, 200), expected (2 leads, samples)",
        "r04": "empty",
        "r05": "flat: leads I, II",
        "r06": "flat: lead II",
        "r07": "150 samples, expected 200",
        "r08": "unreadable: ZeroDivisionError: odd header",
    }


def test_a_mended_record_is_read_again_though_its_size_is_the_same(written):
    class Mended(SmallSet):
        name = "mended"
        broken = True

        def read(self, record):
            if self.broken and record.name == "r03":
                raise DataError("torn")
            return super().read(record)

    dataset = Mended(root=written / "small")
    with pytest.raises(DataError, match="r03: torn"):
        run(dataset)
    dataset.broken = False
    assert run(dataset).bad == []


def test_a_killed_worker_is_explained(written):
    with pytest.raises(DataError, match="a process that decodes records was killed"):
        run(DeadlySet(root=written / "small"), workers=2)


def test_a_flat_lead_that_is_not_used_is_no_fault(faulty):
    prepared = run(faulty, on_bad_record="skip", leads=["I"])
    reasons = {b["record"]: b["reason"] for b in prepared.bad}
    assert reasons["r05"] == "flat: lead I"
    assert "r06" not in reasons


def test_ten_bad_records_are_shown(written):
    class AllBad(SmallSet):
        def read(self, record):
            raise DataError("broken")

    with pytest.raises(DataError, match=r"38 bad record(.|\n)*\n  and 28 more\n"):
        run(AllBad(root=written / "small"))


def test_a_full_disk_is_noticed_before_anything_is_decoded(small, monkeypatch):
    usage = shutil.disk_usage(".")._replace(free=100)
    monkeypatch.setattr(prepare_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"needs about .* MiB but .* has 0 MiB free"):
        run(small)
    with pytest.raises(DataError, match="HARNESS_CACHE"):
        run(small, sampling_rate=50)


@pytest.mark.parametrize("workers", [1, 2])
def test_generated_records_are_written_once_and_read_back(own_cache, workers):
    dataset = GeneratedSet()
    dataset = GeneratedSet(root=dataset_root(dataset, DataOptions(), None))
    signals = read_all(run(dataset, workers=workers), dataset.leads)
    assert np.abs(signals["g05"] - beats(5)).max() < 1e-3
    assert dataset.root.is_relative_to(own_cache / "generated")
    assert {p.name for p in dataset.root.iterdir()} == {"data"}
    assert len(list((dataset.root / "data").iterdir())) == 48
    written = (dataset.root / "data/g05.dat").stat().st_mtime_ns
    run(dataset, sampling_rate=50)
    assert (dataset.root / "data/g05.dat").stat().st_mtime_ns == written


def test_a_mat_set_has_no_common_length(mat):
    assert isinstance(mat, MatSet)
    assert run(mat).bad == []
