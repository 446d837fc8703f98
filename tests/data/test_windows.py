"""Longer records cut into windows: where, what is read, and what becomes of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.data.windows import Windows, window_starts, windows_of
from harness.errors import ConfigError
from harness.options import DataOptions

RATE = 300


@pytest.fixture
def cut(mat, loaded):
    """Records of 2 to 5 s of which a sample has 2 s, a window every second."""

    def load(memory=1 << 30, chunks=None, **options):
        chosen = {"seconds": 2.0, "chunks": chunks or {"stride_seconds": 1.0}}
        return loaded(mat, memory=memory, **chosen, **options)

    return load


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (5, [0]),
        (15, [0]),
        (17, [0, 2]),
        (25, [0, 10]),
        (26, [0, 10, 11]),
        (35, [0, 10, 20]),
        (120, [*range(0, 101, 10), 105]),
    ],
)
def test_windows_of_15_s_every_10_s_and_the_last_one_at_the_end(seconds, expected):
    starts = window_starts(seconds * 500, 15 * 500, 10 * 500)
    assert (starts / 500).tolist() == expected


@given(st.integers(1, 300), st.integers(1, 60), st.data())
def test_no_sample_is_skipped_and_no_window_leaves_the_record(length, window, data):
    stride = data.draw(st.integers(1, window))
    starts = window_starts(length, window, stride).tolist()
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    covered = {i for start in starts for i in range(start, start + window)}
    assert set(range(length)) <= covered
    assert len(starts) == 1 or max(covered) == length - 1


def test_windows_hold_the_signal_of_their_places(mat, loaded, cut):
    whole = loaded(mat, seconds="whole").validation
    split = cut().validation
    windows = windows_of(split)
    assert len(windows) > len(split)
    batch = windows.batch(np.arange(len(windows)))
    place = 0
    for position, length in enumerate(split.lengths):
        signal = whole.batch([position]).signals[0]
        for start in window_starts(length, 2 * RATE, RATE):
            expected = signal[:, start : start + 2 * RATE]
            assert torch.equal(batch.signals[place], expected)
            assert batch.ids[place] == split.ids[position]
            assert batch.patients[place] == split.patients[position]
            assert batch.labels[place] == split.labels[position]
            assert batch.index[place] == position
            place += 1
    assert place == len(windows)
    assert batch.lengths is None


def test_streamed_and_held_windows_are_equal_bit_for_bit(cut):
    held, streamed = (windows_of(cut(memory=m).test) for m in (1 << 30, 0))
    every = np.arange(len(held))[::-1].copy()
    assert torch.equal(held.batch(every).signals, streamed.batch(every).signals)


def test_training_and_batches_of_a_split_are_as_without_chunks(mat, loaded, cut):
    plain = loaded(mat, seconds=2.0)
    for name in ("train", "validation"):
        first, second = getattr(plain, name), getattr(cut(), name)
        every = np.arange(len(first))
        assert torch.equal(first.batch(every).signals, second.batch(every).signals)


def test_records_that_are_not_longer_are_one_window_as_they_are(mat, loaded):
    plain = loaded(mat, seconds=6.0).validation
    windows = windows_of(loaded(mat, seconds=6.0, chunks={}).validation)
    assert windows.record.tolist() == list(range(len(plain)))
    every = np.arange(len(plain))
    batch, expected = windows.batch(every), plain.batch(every)
    assert torch.equal(batch.signals, expected.signals)
    assert torch.equal(batch.index, expected.index)


def test_side_features_are_those_of_the_record(small, loaded):
    split = loaded(small, seconds=1.0, chunks={}, side=["age"]).train
    windows = windows_of(split)
    ages = windows.batch(np.arange(len(windows))).side["age"]
    expected = split.side["age"].repeat_interleave(2)
    assert torch.equal(ages.nan_to_num(-1), expected.nan_to_num(-1))


@pytest.mark.parametrize("sum_to_one", [False, True])
@pytest.mark.parametrize("combine", ["mean", "max"])
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_probabilities_are_those_of_a_loop(combine, sum_to_one, numbers):
    rng = np.random.default_rng(sum(numbers))
    each = rng.dirichlet(np.ones(3), sum(numbers)).astype(np.float32)
    record = np.repeat(np.arange(len(numbers)), numbers)
    found = Windows(None, record, combine).combined(each, sum_to_one=sum_to_one)
    assert found.dtype == np.float32
    for position, number in enumerate(numbers):
        own = each[record == position].astype(np.float64)
        if number == 1:
            assert np.array_equal(found[position], each[record == position][0])
        elif combine == "mean":
            np.testing.assert_allclose(found[position], own.mean(0), rtol=1e-6)
        else:
            largest = own.max(0)
            shares = largest / largest.sum() if sum_to_one else largest
            np.testing.assert_allclose(found[position], shares, rtol=1e-6)
    if sum_to_one or combine == "mean":
        np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)


def test_the_stride_is_the_window_where_nothing_else_is_said(cut):
    split = cut(chunks={"combine": "max"}).test
    assert (split.chunking.stride, split.chunking.combine) == (2 * RATE, "max")
    assert cut().test.chunking.stride == RATE


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"seconds": "whole", "chunks": {}}, "chunks: records are taken whole"),
        ({"chunks": {}}, "set seconds to the length of a chunk"),
        (
            {"seconds": 2.0, "chunks": {"stride_seconds": 2.5}},
            r"2\.5 s would skip signal between windows of 2 s; it must be at most that",
        ),
        (
            {"seconds": 2.0, "chunks": {"stride_seconds": 0.001}},
            r"chunks\.stride_seconds: 0\.001 s is less than a sample at 300 Hz",
        ),
    ],
)
def test_chunks_that_can_not_be_are_refused(mat, loaded, options, expected):
    with pytest.raises(ConfigError, match=expected):
        loaded(mat, **options)


@pytest.mark.parametrize(
    "chunks",
    [{"stride_seconds": 0}, {"stride_seconds": -1}, {"combine": "median"}, {"x": 1}],
)
def test_chunks_that_are_none_are_refused(chunks):
    with pytest.raises(ValidationError):
        DataOptions(chunks=chunks)
