"""Records seen through other leads: as a cell on those leads has them."""

import numpy as np
import pytest
import torch
from small_sets import SmallSet, beats, write_record, write_small_set

from harness import Batch, Cell, PluginError
from harness.cell import PluginChoice
from harness.data.augment import augment_batch
from harness.data.dataset import OpenData, leads_beside, seen_alike
from harness.data.order import generator
from harness.data.record_index import index_records
from harness.options import Budget, CutMix, DataOptions, Mixup

ONE, BOTH = ("I",), ("I", "II")
MODES = ["record", "record-minmax", "train-lead", "train-global", "none"]
MIXES = [Mixup(use="mixup", alpha=1.0), CutMix(use="cutmix", alpha=1.0)]


class RaggedSet(SmallSet):
    """Records of 1.5 to 3.5 s."""

    name = "ragged"
    seconds = None


@pytest.fixture(scope="module")
def ragged(tmp_path_factory):
    root = write_small_set(tmp_path_factory.mktemp("ragged"))
    for i in range(40):
        signal = beats(i, samples=150 + (i * 37) % 200)
        write_record(root / "data", f"r{i:02}", signal)
    return RaggedSet(root=root)


@pytest.fixture
def seen():
    """The splits of a data set, seen through other leads, too."""

    def run(dataset, *views, memory=1 << 30, **options):
        chosen = DataOptions.model_validate(options)
        data = OpenData(dataset, chosen, index_records(dataset, chosen))
        return data.load(data.prepare(), memory, views)

    return run


def alike(view, own):
    """Both are of the same records, samples and stretch."""
    assert view.leads == own.leads
    assert view.ids == own.ids
    assert torch.equal(view.signals, own.signals)
    assert torch.equal(view.labels, own.labels)
    for name in ("lengths", "mask"):
        first, second = getattr(view, name), getattr(own, name)
        assert (first is None) == (second is None)
        assert first is None or torch.equal(first, second)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seconds", [1.0, 3.0, "whole"])
@pytest.mark.parametrize("memory", [0, 1 << 30], ids=["streamed", "held"])
def test_a_view_is_the_batch_of_a_set_on_those_leads(
    ragged, seen, loaded, memory, seconds, mode
):
    options = {"seconds": seconds, "normalise": mode}
    data = seen(ragged, BOTH, ("II",), memory=memory, leads=["I"], **options)
    for leads in (BOTH, ("II",)):
        other = loaded(ragged, leads=list(leads), **options)
        for name in ("train", "validation"):
            mine, theirs = getattr(data, name), getattr(other, name)
            every = np.arange(len(mine))[::-1].copy()
            alike(mine.batch(every).view(leads), theirs.batch(every))
            crops = [generator(0, "crop") for _ in range(2)]
            cropped = [
                s.batch(every, crop=c)
                for s, c in zip((mine, theirs), crops, strict=True)
            ]
            alike(cropped[0].view(leads), cropped[1])


def test_views_leave_a_batch_as_it_is_without_them(ragged, seen, loaded):
    data = seen(ragged, BOTH, leads=["I"], normalise="train-global")
    plain = loaded(ragged, leads=["I"], normalise="train-global")
    alike(data.train.batch(np.arange(9)), plain.train.batch(np.arange(9)))
    assert data.leads == ONE
    assert data.samples == plain.samples
    assert np.array_equal(data.statistics.mean, plain.statistics.mean)
    batch = data.train.batch(np.arange(9))
    assert batch.view(ONE) is batch


def test_leads_in_another_order_are_another_view(ragged, seen):
    batch = seen(ragged, ("II", "I"), normalise="none").train.batch(np.arange(4))
    assert torch.equal(batch.view(["II", "I"]).signals, batch.signals[:, [1, 0]])


def test_views_count_as_memory(ragged, seen):
    plain, data = seen(ragged, leads=["I"]), seen(ragged, BOTH, leads=["I"])
    assert data.train.bytes == 3 * plain.train.bytes == 12 * data.train.lengths.sum()
    assert data.train.without_views().bytes == plain.train.bytes


def test_the_test_split_has_no_views(ragged, seen):
    data = seen(ragged, BOTH, leads=["I"])
    with pytest.raises(PluginError, match="for training and validation"):
        data.test.batch(np.arange(2)).view(BOTH)
    with pytest.raises(PluginError, match="no such view"):
        data.train.without_views().batch(np.arange(2)).view(BOTH)


def test_a_view_of_other_leads_is_refused_with_those_that_there_are(ragged, seen):
    batch = seen(ragged, BOTH, leads=["I"]).train.batch(np.arange(2))
    with pytest.raises(PluginError, match=r"view\(V9\).* only of I; I, II: leads"):
        batch.view(["V9"])
    with pytest.raises(PluginError, match=r"view\(I\).* only of I, II: leads"):
        batch.view(BOTH).view(ONE)


# --- what becomes of batches ---------------------------------------------------------


@pytest.fixture
def pair(ragged, seen, loaded):
    """A batch of lead I with a view of both, and the batch of both."""

    def make(positions, **options):
        options = {"seconds": "whole", "normalise": "none", **options}
        mine = seen(ragged, BOTH, leads=["I"], **options).train
        other = loaded(ragged, leads=list(BOTH), **options).train
        return mine.batch(positions), other.batch(positions)

    return make


@pytest.mark.parametrize("how", [MIXES[:1], MIXES[1:], MIXES, MIXES[::-1]])
@pytest.mark.parametrize("seconds", [2.0, "whole"])
def test_a_mix_is_seen_as_it_is(pair, how, seconds):
    own, other = pair(np.arange(12), seconds=seconds)
    mixed, expected = (
        augment_batch(batch, how, 3, generator(5, "a")) for batch in (own, other)
    )
    alike(mixed.view(BOTH), expected)
    assert not torch.equal(expected.signals, other.signals)


def test_mixup_of_a_view_is_what_the_generator_draws(pair):
    own, other = pair(np.arange(6))
    mixed = augment_batch(own, MIXES[:1], 3, generator(5, "a")).view(BOTH)
    drawn = generator(5, "a")
    share, partner = float(drawn.beta(1.0, 1.0)), drawn.permutation(6)
    expected = share * other.signals + (1 - share) * other.signals[partner]
    assert torch.equal(mixed.signals, expected)


def test_parts_of_a_batch_are_seen_in_part(pair):
    own, other = pair(np.arange(10))
    mask = torch.arange(10) % 3 == 0
    rows = torch.tensor([7, 2])
    for some in (mask, rows):
        alike(own.select(some).view(BOTH), other.select(some))
    alike(own.part(slice(3, 8)).view(BOTH), other.part(slice(3, 8)))
    joined, expected = (
        Batch.concatenate([b.select(rows), b.part(slice(3, 8)), b.select(mask)])
        for b in (own, other)
    )
    alike(joined.view(BOTH), expected)
    assert joined.ids == [own.ids[i] for i in (7, 2, *range(3, 8), 0, 3, 6, 9)]


def test_batches_of_other_lengths_are_seen_padded_alike(ragged, seen, loaded):
    options = {"seconds": "whole", "normalise": "none"}
    mine = seen(ragged, BOTH, leads=["I"], **options).train
    other = loaded(ragged, leads=list(BOTH), **options).train
    order = np.argsort(mine.lengths)
    short, long = order[:3], order[-3:]
    joined, expected = (
        Batch.concatenate([s.batch(short), s.batch(long)]) for s in (mine, other)
    )
    assert mine.batch(short).signals.shape[-1] < joined.signals.shape[-1]
    alike(joined.view(BOTH), expected)


def test_views_go_where_the_batch_goes(pair):
    own, _ = pair(np.arange(3))
    moved = own.to(torch.device("meta")).view(BOTH)
    assert moved.signals.device.type == "meta"
    assert moved.lengths.device.type == "meta"
    assert own.view(BOTH).signals.device.type == "cpu"


def test_steps_that_hold_signal(ragged, seen):
    data = seen(ragged, BOTH, leads=["I"], seconds="whole")
    batch = data.train.batch(np.arange(5))
    samples = batch.signals.shape[-1]
    for seen_through in (batch, batch.view(BOTH)):
        mask = seen_through.step_mask(samples // 8)
        # A step of 8 samples holds signal if its first one does.
        assert torch.equal(mask, seen_through.mask[:, ::8])
    assert seen(ragged, seconds=2.0).train.batch([0]).step_mask(4) is None


# --- bad records ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["train-lead", "train-global"])
def test_what_only_a_view_s_own_cell_leaves_out_is_seen_by_its_statistics(
    ragged, seen, loaded, tmp_path, mode
):
    """A record without lead II is bad for a cell on both leads, which is normalised
    without it, and good for one on lead I, which sees both as that cell does.
    """
    root = write_small_set(tmp_path / "flat")
    gone = str(loaded(SmallSet(root=root), leads=["I"]).train.ids[3])
    signal = beats(int(gone[1:])) * 50
    signal[1] = 0
    write_record(root / "data", gone, signal)
    options = {"normalise": mode, "on_bad_record": "skip"}
    both = loaded(SmallSet(root=root), leads=list(BOTH), **options)
    mine = seen(SmallSet(root=root), BOTH, leads=["I"], **options)
    assert gone not in both.train.ids
    assert len(mine.train) == len(both.train) + 1

    positions = np.flatnonzero(mine.train.ids != gone)
    assert mine.train.ids[positions].tolist() == both.train.ids.tolist()
    every = np.arange(len(both.train))
    alike(mine.train.batch(positions).view(BOTH), both.train.batch(every))

    alone = mine.train.batch(np.flatnonzero(mine.train.ids == gone)).view(BOTH)
    scaled = (signal[0] - both.statistics.mean[0]) / both.statistics.std[0]
    assert alone.signals[0, 0].numpy() == pytest.approx(scaled, abs=2e-2)
    assert not alone.signals[0, 1].diff().any()


# --- whose leads are loaded ----------------------------------------------------------


def cell(requires=(), **options):
    choice = PluginChoice("small", 1, "SmallSet", "small.py", "0" * 16)
    return Cell(
        dataset=choice,
        options=DataOptions(**options),
        model=choice,
        strategies=(choice,),
        budget=Budget(),
        seed=0,
        requires=dict(enumerate(requires)),
    )


def test_leads_of_required_cells_are_loaded_once_each(small):
    one, both, second = (cell(leads=x) for x in (["I"], ["I", "II"], ["II"]))
    family = [both, one, cell(), second, cell(leads=["II"])]
    assert leads_beside(cell(family, leads=["I"]), small) == [BOTH, ("II",)]
    assert leads_beside(cell(family), small) == [ONE, ("II",)]
    assert leads_beside(cell([both]), small) == []
    assert leads_beside(cell(), small) == []


@pytest.mark.parametrize(
    "changed",
    [{"seconds": 1.0}, {"sampling_rate": 50}, {"normalise": "none"}, {"side": ["age"]}],
)
def test_what_sees_records_in_another_way_is_no_view(small, changed):
    other = cell(**changed)
    mine = cell([other], leads=["I"])
    assert not seen_alike(mine, other)
    assert leads_beside(mine, small) == []
    assert seen_alike(cell(leads=["I"], **changed), other)
