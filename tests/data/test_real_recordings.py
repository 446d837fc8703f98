"""The pipeline on real recordings, with the built-in plugins."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from harness.catalog import load_plugin_class
from harness.data.prepare import prepare
from harness.data.record_index import index_records
from harness.options import DataOptions

PLUGINS = Path(__file__).parents[2] / "plugins" / "datasets"

pytestmark = pytest.mark.real_data


class Some:
    """Keeps every n-th record of a real set, so that a test is quick."""

    every = 25

    def records(self):
        return super().records()[:: self.every]


@pytest.fixture
def ptbxl(real_data):
    plugin = load_plugin_class(PLUGINS / "ptbxl" / "__init__.py", "PTBXL")
    return type("SomePTBXL", (Some, plugin), {})(root=real_data / "ptbxl")


@pytest.fixture
def cinc2017(real_data):
    plugin = load_plugin_class(PLUGINS / "cinc2017.py", "CinC2017")
    return type("SomeCinC2017", (Some, plugin), {})(root=real_data / "cinc2017")


def test_no_real_record_is_refused(ptbxl, cinc2017):
    for dataset in (ptbxl, cinc2017):
        options = DataOptions()
        index = index_records(dataset, options)
        assert prepare(dataset, index, options).bad == []


def test_ptbxl_batches(ptbxl, loaded):
    data = loaded(ptbxl, normalise="none")
    batch = data.train.batch(np.arange(16))
    assert batch.signals.shape == (16, 12, 1000)
    # Einthoven's law, up to the recordings' resolution of a few uV.
    first, second, third = batch.signals[:, 0], batch.signals[:, 1], batch.signals[:, 2]
    assert float((first + third - second).abs().max()) < 0.01
    assert 0.1 < float(batch.signals.std()) < 1


def test_ptbxl_uses_its_official_folds(ptbxl):
    records = index_records(ptbxl, DataOptions()).records
    assert set(records.loc[records["split"] == "test", "fold"]) == {10}
    assert set(records.loc[records["split"] == "validation", "fold"]) == {9}


def test_cinc2017_whole_and_cut(cinc2017, loaded):
    options = {"sampling_rate": 150}
    whole = loaded(cinc2017, seconds="whole", **options)
    cut = loaded(cinc2017, seconds=30, **options)
    assert cut.samples == 4500
    assert len(set(whole.train.lengths.tolist())) > 5
    position = int(np.flatnonzero(whole.train.lengths == 4500)[0])
    same = np.array([position])
    assert torch.equal(
        whole.train.batch(same).signals[..., :4500], cut.train.batch(same).signals
    )


def test_the_whole_of_cinc2017_is_split_in_proportion(real_data):
    plugin = load_plugin_class(PLUGINS / "cinc2017.py", "CinC2017")
    index = index_records(plugin(root=real_data / "cinc2017"), DataOptions())
    train, test = index.counts["train"], index.counts["test"]
    for name in plugin.classes:
        share = test["classes"][name] / train["classes"][name]
        assert share == pytest.approx(0.2 / 0.7, rel=0.1)


def test_a_filter_takes_the_wander_out_of_a_real_record(ptbxl):
    options = DataOptions(filter={"highpass": 0.5, "lowpass": 40.0})
    index = index_records(ptbxl, options)
    filtered = prepare(ptbxl, index, options)
    with h5py.File(filtered.path) as file:
        signals = file["signals"][:].reshape(-1, 12, 1000)
    power = np.abs(np.fft.rfft(signals[:, :, 100:900])) ** 2
    hertz = np.fft.rfftfreq(800, 0.01)
    assert power[..., hertz < 0.2].sum() < 0.05 * power.sum()
