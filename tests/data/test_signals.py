import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.signals import (
    Statistics,
    bandpass,
    normalise,
    resample,
    training_statistics,
)
from harness.options import Filter


def sine(hertz, rate, seconds=10.0):
    time = np.arange(round(seconds * rate)) / rate
    return np.sin(2 * np.pi * hertz * time).astype(np.float32)[None]


@pytest.mark.parametrize(("rate_in", "rate_out"), [(500, 100), (100, 250), (300, 150)])
def test_a_resampled_sine_is_the_same_sine(rate_in, rate_out):
    resampled = resample(sine(3, rate_in), rate_in, rate_out)
    wanted = sine(3, rate_out)
    assert resampled.dtype == np.float32
    assert resampled.shape == wanted.shape
    inner = slice(rate_out // 2, -rate_out // 2)
    assert np.abs(resampled - wanted)[:, inner].max() < 0.01


def test_what_lies_above_the_new_nyquist_frequency_is_removed():
    resampled = resample(sine(80, 500), 500, 100)
    assert np.abs(resampled[:, 50:-50]).max() < 0.02


def test_an_offset_survives_resampling_up_to_the_ends():
    resampled = resample(np.full((1, 1000), 5, dtype=np.float32), 500, 100)
    assert np.abs(resampled - 5).max() < 1e-5


def test_the_same_rate_changes_nothing():
    signal = sine(3, 100)
    assert np.array_equal(resample(signal, 100, 100.0), signal)


@given(
    samples=st.integers(1, 2000),
    rates=st.sampled_from([(300.0, 150.0), (360.0, 100.0), (257.0, 128.0)]),
)
@settings(max_examples=30, deadline=None)
def test_resampled_length(samples, rates):
    rate_in, rate_out = rates
    signal = np.zeros((2, samples), dtype=np.float32)
    expected = -(-samples * int(rate_out) // int(rate_in))
    assert resample(signal, rate_in, rate_out).shape == (2, expected)


def test_a_filter_does_not_move_a_wave():
    time = np.arange(1000) / 100
    pulse = np.exp(-(((time - 5) / 0.1) ** 2)).astype(np.float32)[None]
    filtered = bandpass(pulse, 100, Filter(lowpass=10.0))
    assert abs(int(filtered.argmax()) - 500) <= 0
    assert np.allclose(filtered[0, 450:500], filtered[0, 501:551][::-1], atol=1e-5)


@pytest.mark.parametrize(
    ("band", "kept", "removed"),
    [
        (Filter(highpass=1.0), 8, 0.1),
        (Filter(lowpass=20.0), 8, 45),
        (Filter(highpass=1.0, lowpass=20.0), 8, 45),
    ],
)
def test_a_filter_keeps_its_band(band, kept, removed):
    inner = np.s_[:, 300:-300]
    signal = sine(kept, 100, 20)
    assert np.abs(bandpass(signal, 100, band) - signal)[inner].max() < 0.05
    assert np.abs(bandpass(sine(removed, 100, 20), 100, band)[inner]).max() < 0.1


@pytest.mark.parametrize("samples", [1, 2, 5, 12])
def test_a_short_record_can_be_filtered(samples):
    signal = np.ones((2, samples), dtype=np.float32)
    filtered = bandpass(signal, 100, Filter(highpass=0.5, lowpass=40.0, order=4))
    assert filtered.shape == (2, samples)
    assert np.isfinite(filtered).all()


def test_record_normalising_standardises_each_lead():
    rng = np.random.default_rng(0)
    signal = (rng.standard_normal((3, 500)) * [[1], [9], [0.1]] + 4).astype(np.float32)
    scaled = normalise(signal, "record")
    assert scaled.dtype == np.float32
    assert np.allclose(scaled.mean(axis=1), 0, atol=1e-5)
    assert np.allclose(scaled.std(axis=1), 1, atol=1e-5)


def test_minmax_normalising_spans_minus_one_to_one():
    scaled = normalise(sine(3, 100) * 4 + 7, "record-minmax")
    assert scaled.min() == pytest.approx(-1)
    assert scaled.max() == pytest.approx(1)


@pytest.mark.parametrize("mode", ["record", "record-minmax"])
@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1000.1])
def test_a_flat_lead_becomes_zeros(mode, value):
    signal = np.vstack([sine(3, 100), np.full((1, 1000), value)]).astype(np.float32)
    scaled = normalise(signal, mode)
    assert not scaled[1].any()
    assert np.isfinite(scaled).all()


@pytest.mark.parametrize("mode", ["record", "record-minmax", "none"])
def test_several_records_at_once_are_scaled_as_one_by_one(mode):
    signals = np.random.default_rng(0).standard_normal((4, 2, 99)).astype(np.float32)
    together = normalise(signals, mode)
    for i, signal in enumerate(signals):
        assert np.array_equal(together[i], normalise(signal, mode))


def test_training_statistics_are_those_of_all_samples():
    rng = np.random.default_rng(1)
    signals = [rng.normal([[2], [5]], [[1], [3]], (2, n)) for n in (100, 300, 50)]
    signals = [s.astype(np.float32) for s in signals]
    joined = np.concatenate(signals, axis=1)
    by_lead = training_statistics(signals, "train-lead")
    assert np.allclose(by_lead.mean[:, 0], joined.mean(axis=1), rtol=1e-5)
    assert np.allclose(by_lead.std[:, 0], joined.std(axis=1), rtol=1e-5)
    at_all = training_statistics(signals, "train-global")
    assert at_all.mean.shape == (1, 1)
    assert at_all.mean.item() == pytest.approx(joined.mean(), rel=1e-5)
    assert at_all.std.item() == pytest.approx(joined.std(), rel=1e-5)
    assert training_statistics(signals, "record") is None


def test_normalising_by_statistics_needs_them():
    with pytest.raises(ValueError, match="statistics"):
        normalise(sine(3, 100), "train-lead")
    given_ones = Statistics(np.float32([[1]]), np.float32([[2]]))
    assert np.allclose(
        normalise(sine(3, 100), "train-lead", given_ones), (sine(3, 100) - 1) / 2
    )
