import numpy as np
import pytest
import torch

from harness.data.augment import augment_batch
from harness.data.batch import Batch
from harness.data.order import generator
from harness.options import CutMix, Mixup, RandomCrop

MIXES = [Mixup(use="mixup", alpha=1.0), CutMix(use="cutmix", alpha=1.0)]


def make_batch(n=6, samples=50, *, lengths=None, labels=None):
    """Sample `i` holds the value i + 1 wherever there is signal."""
    signals = torch.arange(1.0, n + 1)[:, None, None].expand(n, 2, samples).clone()
    mask = None
    if lengths is not None:
        lengths = torch.tensor(lengths)
        mask = torch.arange(samples) < lengths[:, None]
        signals = signals * mask[:, None]
    return Batch(
        signals=signals,
        labels=torch.arange(n) if labels is None else labels,
        index=torch.arange(n),
        ids=[f"r{i}" for i in range(n)],
        patients=[f"p{i}" for i in range(n)],
        weights=torch.ones(n),
        lengths=lengths,
        mask=mask,
    )


@pytest.mark.parametrize("how", MIXES)
def test_labels_say_how_much_of_each_sample_there_is(how):
    mixed = augment_batch(make_batch(), [how], 6, generator(0, "a"))
    assert mixed.labels.shape == (6, 6)
    assert mixed.labels.dtype == torch.float32
    assert torch.allclose(mixed.labels.sum(1), torch.ones(6))
    values = mixed.labels @ torch.arange(1.0, 7)
    assert torch.allclose(mixed.signals.mean((1, 2)), values, atol=1e-4)
    assert not torch.equal(mixed.signals, make_batch().signals)


@pytest.mark.parametrize("how", MIXES)
def test_a_mix_is_a_pure_function_of_its_generator(how):
    batch = make_batch()
    before = batch.signals.clone()
    first, again, other = (
        augment_batch(batch, [how], 6, generator(0, name)) for name in "aab"
    )
    assert torch.equal(first.signals, again.signals)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.signals, other.signals)
    assert torch.equal(batch.signals, before)


def test_mixup_is_one_convex_mix_a_batch():
    mixed = augment_batch(make_batch(), MIXES[:1], 6, generator(3, "a"))
    shares = {round(float(s), 5) for row in mixed.labels for s in row if 0 < s < 1}
    assert len(shares) == 2
    assert sum(shares) == pytest.approx(1, abs=1e-4)


def test_cutmix_replaces_one_stretch():
    mixed = augment_batch(make_batch(), MIXES[1:], 6, generator(3, "a"))
    for i, signal in enumerate(mixed.signals):
        foreign = (signal[0] != i + 1).int()
        assert torch.equal(signal[0], signal[1])
        assert int(foreign.diff().abs().sum()) <= 2
        assert float(foreign.float().mean()) == pytest.approx(
            1 - float(mixed.labels[i, i]), abs=1e-5
        )


def test_multi_label_targets_are_mixed_as_they_are():
    labels = torch.tensor([[1.0, 1, 0], [0, 0, 1]])
    mixed = augment_batch(make_batch(2, labels=labels), MIXES[:1], 3, generator(1, "a"))
    assert (mixed.labels >= 0).all()
    assert (mixed.labels <= 1).all()


def test_mixed_whole_records_have_the_longer_ones_signal():
    batch = make_batch(4, lengths=[10, 50, 30, 20])
    mixed = augment_batch(batch, MIXES[:1], 4, generator(1, "a"))
    assert (mixed.lengths >= batch.lengths).all()
    assert torch.equal(mixed.mask.sum(1), mixed.lengths)


def test_cutmix_keeps_whole_records_whole():
    for seed in range(20):
        batch = make_batch(4, lengths=[10, 50, 30, 20])
        mixed = augment_batch(batch, MIXES[1:], 4, generator(seed, "a"))
        assert torch.equal(mixed.mask, batch.mask)
        assert torch.equal(mixed.signals[:, 0] != 0, batch.mask)
        means = mixed.signals[:, 0].sum(1) / batch.lengths
        assert torch.allclose(means, mixed.labels @ torch.arange(1.0, 5), atol=1e-4)


def test_ways_are_applied_in_their_order_and_a_crop_is_made_elsewhere():
    crop = RandomCrop(use="random-crop")
    batch = make_batch()
    assert augment_batch(batch, [crop], 6, generator(0, "a")) is batch
    both = augment_batch(batch, [*MIXES, crop], 6, generator(0, "a"))
    assert torch.allclose(both.labels.sum(1), torch.ones(6))


def test_a_batch_of_one_is_left_as_it_is():
    batch = make_batch(1)
    mixed = augment_batch(batch, MIXES, 1, np.random.default_rng(0))
    assert torch.allclose(mixed.signals, batch.signals)
    assert mixed.labels.tolist() == [[1]]
