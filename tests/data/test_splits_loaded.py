import numpy as np
import pytest
import torch
from small_sets import MatSet, SmallSet

from harness import DataError
from harness.data.order import generator
from harness.data.prepare import prepare
from harness.data.record_index import index_records
from harness.data.splits_loaded import load
from harness.options import DataOptions

MODES = ["record", "record-minmax", "train-lead", "train-global", "none"]


def equal(a, b):
    assert torch.equal(a.signals, b.signals)
    assert torch.equal(a.labels, b.labels)
    assert a.ids == b.ids
    for name in ("lengths", "mask"):
        first, second = getattr(a, name), getattr(b, name)
        assert (first is None) == (second is None)
        assert first is None or torch.equal(first, second)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seconds", [1.0, 3.0, "whole"])
@pytest.mark.parametrize("kind", [SmallSet, MatSet])
def test_streamed_and_held_batches_are_equal_bit_for_bit(
    written, loaded, kind, seconds, mode
):
    dataset = kind(root=written / kind.folder)
    options = {"seconds": seconds, "normalise": mode, "sampling_rate": 120}
    held = loaded(dataset, **options)
    streamed = loaded(dataset, memory=0, **options)
    for name in ("train", "validation", "test"):
        first, second = getattr(held, name), getattr(streamed, name)
        every = np.arange(len(first))[::-1].copy()
        equal(first.batch(every), second.batch(every))
        crops = (generator(0, "crop") for _ in range(2))
        equal(
            first.batch(every, crop=next(crops)), second.batch(every, crop=next(crops))
        )


def test_what_is_said_of_a_loaded_set(small, loaded):
    data = loaded(small, sampling_rate=50)
    assert data.classes == ("N", "A", "O")
    assert data.task == "single-label"
    assert data.leads == ("I", "II")
    assert data.sampling_rate == 50
    assert data.samples == 100
    assert data.statistics is None
    ids = [set(getattr(data, s).ids) for s in ("train", "validation", "test")]
    patients = [set(getattr(data, s).patients) for s in ("train", "validation", "test")]
    for kind in (ids, patients):
        assert kind[0].isdisjoint(kind[1] | kind[2])
        assert kind[1].isdisjoint(kind[2])
    assert sum(map(len, ids)) == 38


def test_a_batch(small, loaded):
    data = loaded(small, normalise="none", side=["age"])
    batch = data.train.batch(torch.tensor([3, 0]))
    assert batch.signals.shape == (2, 2, 200)
    assert batch.signals.dtype == torch.float32
    assert batch.index.tolist() == [3, 0]
    assert batch.ids == [data.train.ids[3], data.train.ids[0]]
    assert batch.patients == [data.train.patients[3], data.train.patients[0]]
    assert batch.weights.tolist() == [1, 1]
    assert batch.lengths is None
    assert batch.mask is None
    record = index_records(small, DataOptions()).records.loc[batch.ids[0]]
    assert data.classes[int(batch.labels[0])] == record["labels"][0]
    wanted = small.read(record)
    assert np.array_equal(batch.signals[0].numpy(), wanted)
    assert batch.side["age"].dtype == torch.float32


def test_unknown_side_features_are_nan(small, loaded):
    data = loaded(small, side=["age"])
    ages = {
        str(i): float(age)
        for split in (data.train, data.validation, data.test)
        for i, age in zip(split.ids, split.side["age"], strict=True)
    }
    assert np.isnan(ages["r00"])
    assert ages["r01"] == 31


def test_a_batch_owns_its_signals(small, loaded):
    data = loaded(small)
    before = data.train.batch(np.arange(2)).signals.clone()
    data.train.batch(np.arange(2)).signals.zero_()
    assert torch.equal(data.train.batch(np.arange(2)).signals, before)


def test_multi_label_targets(written, loaded):
    dataset = SmallSet(SmallSet.Params(multi=True), written / "small")
    data = loaded(dataset)
    assert data.train.labels.dtype == torch.float32
    assert data.train.labels.shape == (len(data.train), 3)
    labels = index_records(dataset, DataOptions()).records["labels"]
    for record, row in zip(data.train.ids, data.train.labels, strict=True):
        names = [c for c, on in zip(data.classes, row, strict=True) if on]
        assert set(names) == set(labels[record])


def test_leads_are_selected_and_ordered(small, loaded):
    both = loaded(small).train.batch(np.arange(3)).signals
    swapped = loaded(small, leads=["II", "I"])
    assert swapped.leads == ("II", "I")
    assert torch.equal(swapped.train.batch(np.arange(3)).signals, both[:, [1, 0]])
    alone = loaded(small, leads=["II"]).train.batch(np.arange(3)).signals
    assert torch.equal(alone, both[:, 1:])


def test_longer_records_are_cut_from_the_middle(small, loaded):
    full = loaded(small).train.batch(np.arange(4)).signals
    middle = loaded(small, seconds=1.0).train.batch(np.arange(4)).signals
    assert torch.equal(middle, full[:, :, 50:150])


def test_shorter_records_end_in_zeros(small, loaded):
    full = loaded(small).train.batch(np.arange(4)).signals
    padded = loaded(small, seconds=3.0).train.batch(np.arange(4))
    assert torch.equal(padded.signals[:, :, :200], full)
    assert not padded.signals[:, :, 200:].any()
    assert padded.mask is None


def test_a_random_crop_is_a_window_of_the_record(small, loaded):
    full = loaded(small).train.batch(np.zeros(30, dtype=int)).signals
    cut = loaded(small, seconds=1.0).train
    cropped = cut.batch(np.zeros(30, dtype=int), crop=generator(0, "a")).signals
    windows = full[0].unfold(1, 100, 1).permute(1, 0, 2)
    starts = {int((windows == c).all(2).all(1).nonzero()) for c in cropped}
    assert len(starts) > 10
    assert min(starts) >= 0
    assert max(starts) <= 100
    again = cut.batch(np.zeros(30, dtype=int), crop=generator(0, "a")).signals
    assert torch.equal(cropped, again)


def test_a_random_place_in_the_padding_keeps_the_record_whole(small, loaded):
    full = loaded(small).train.batch(np.zeros(20, dtype=int)).signals
    longer = loaded(small, seconds=3.0).train
    placed = longer.batch(np.zeros(20, dtype=int), crop=generator(0, "a")).signals
    starts = set()
    for signal in placed:
        start = int((signal != 0).any(0).nonzero()[0])
        starts.add(start)
        assert torch.equal(signal[:, start : start + 200], full[0])
        assert int((signal != 0).any(0).sum()) == 200
    assert len(starts) > 5


def test_whole_records_have_lengths_and_a_mask(mat, loaded):
    data = loaded(mat, seconds="whole")
    lengths = data.train.lengths
    some = np.argsort(lengths)[:5]
    batch = data.train.batch(some)
    assert batch.lengths.tolist() == lengths[some].tolist()
    assert torch.equal(batch.mask.sum(1), batch.lengths)
    assert not batch.signals[:, 0][~batch.mask].any()
    # The power of two next to the 300 samples of a second.
    assert batch.signals.shape[-1] % 256 == 0
    assert 0 <= batch.signals.shape[-1] - lengths[some].max() < 256
    assert data.samples % 256 == 0
    assert data.samples >= max(s.lengths.max() for s in (data.train, data.test))


def test_records_of_unequal_length_are_taken_whole_unless_told_otherwise(mat, loaded):
    assert loaded(mat).train.batch(np.arange(2)).mask is not None
    assert loaded(mat, seconds=2.0).train.batch(np.arange(2)).mask is None


@pytest.mark.parametrize("mode", ["train-lead", "train-global"])
def test_statistics_come_from_training_records_only(written, mode):
    """Test records that are changed beyond measure leave the statistics alone."""
    options = DataOptions(normalise=mode)
    small = SmallSet(root=written / "small")
    test_ids = index_records(small, options).records.query("split == 'test'").index

    class Loud(SmallSet):
        name = "loud"

        def read(self, record):
            signal = super().read(record)
            return signal * 1000 if record.name in test_ids else signal

    def statistics(dataset):
        index = index_records(dataset, options)
        prepared = prepare(dataset, index, options)
        data = load(prepared, index, dataset, options, memory_budget_bytes=0)
        return data.statistics, data.train.batch(np.arange(len(data.train))).signals

    quiet, signals = statistics(small)
    loud, _ = statistics(Loud(root=written / "small"))
    assert np.array_equal(quiet.mean, loud.mean)
    assert np.array_equal(quiet.std, loud.std)
    axes = (0, 2) if mode == "train-lead" else None
    assert np.allclose(signals.numpy().mean(axes), 0, atol=1e-3)
    assert np.allclose(signals.numpy().std(axes), 1, atol=1e-3)


def test_skipped_records_are_in_no_split(recordings, loaded):
    (recordings / "small/data/r00.dat").unlink()
    data = loaded(SmallSet(root=recordings / "small"), on_bad_record="skip")
    ids = np.concatenate([data.train.ids, data.validation.ids, data.test.ids])
    assert "r00" not in ids
    assert len(ids) == 37


def test_skipping_must_leave_every_split_usable(written, loaded):
    options = {"on_bad_record": "skip"}
    small = SmallSet(root=written / "small")
    split = index_records(small, DataOptions()).records["split"]

    class NoTest(SmallSet):
        name = "no-test"

        def read(self, record):
            if split[record.name] == "test":
                raise DataError("gone")
            return super().read(record)

    with pytest.raises(DataError, match="the test split is empty"):
        loaded(NoTest(root=written / "small"), **options)


def test_a_removed_file_is_explained(small):
    options = DataOptions()
    index = index_records(small, options)
    prepared = prepare(small, index, options)
    prepared.path.unlink()
    with pytest.raises(DataError, match="removed or damaged"):
        load(prepared, index, small, options, memory_budget_bytes=0)
