"""Bytes of pruned weights: what is left, and the index that says where it stands."""

import pytest
import torch
from torch import nn

from harness.catalog import load_plugin_class
from harness.cost.sparse_storage import bitmap_bytes, delta_bytes, encoded, stored_bytes

MEBIBYTE = 2**20
PRUNABLE = 10_454_528


def positions(*kept):
    return torch.tensor(kept, dtype=torch.int64)


@pytest.mark.parametrize(
    ("kept", "entries"),
    [
        ((), 0),
        ((0,), 1),
        ((0, 1, 2), 3),
        # The first element is 65,535 away from the place before the first.
        ((65_534,), 1),
        ((65_535,), 2),
        ((0, 65_535), 2),
        ((0, 65_536), 3),
        ((5, 5 + 2 * 65_535), 3),
        ((5, 5 + 2 * 65_535 + 1), 4),
    ],
)
def test_a_gap_of_more_than_65535_takes_further_entries(kept, entries):
    assert delta_bytes(positions(*kept)) == 2 * entries


def test_deltas_can_be_read_back():
    """A reader that knows no more than the format finds the positions again."""
    generator = torch.Generator().manual_seed(0)
    kept = torch.randperm(3_000_000, generator=generator)[:40].sort().values
    entries, before = [], -1
    for position in kept.tolist():
        gap = position - before
        while gap > 65_535:
            entries.append(0)
            gap -= 65_535
        entries.append(gap)
        before = position
    found, at = [], -1
    for entry in entries:
        at += entry or 65_535
        found += [at] if entry else []
    assert found == kept.tolist()
    assert delta_bytes(kept) == 2 * len(entries)
    assert len(entries) > len(kept)


def tensor(elements, nonzero):
    weight = torch.zeros(elements)
    weight[:nonzero] = 1
    return weight


@pytest.mark.parametrize(
    ("nonzero", "values", "index"),
    [
        # Dense, where a bitmap would cost more than the zeros.
        (1600, 6400, 0),
        (1560, 6400, 0),
        (1500, 6000, 200),
        (101, 404, 200),
        (99, 396, 198),
        (0, 0, 0),
    ],
)
def test_each_tensor_is_written_in_its_cheapest_way(nonzero, values, index):
    assert encoded(tensor(1600, nonzero)) == (values, index)


def test_what_cannot_be_pruned_is_dense_and_shared_weights_count_once():
    net = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.BatchNorm1d(8))
    net[1].weight = net[0].weight
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].weight[0, 0] = 1
    # 2 biases, scale, shift, mean and variance of 8; the count of batches is int64.
    other = 4 * 6 * 8 + 8
    assert stored_bytes(net).as_dict() == {
        "values": 4,
        "index": 2,
        "other": other,
        "total": 4 + 2 + other,
        "dense_total": 4 * 64 + other,
    }


def test_a_network_without_prunable_weights():
    found = stored_bytes(nn.BatchNorm1d(4))
    assert (found.values, found.index, found.other) == (0, 0, 4 * 4 * 4 + 8)


@pytest.fixture(scope="module")
def hannun():
    """The network of Hannun et al. 2019 (doi 10.1038/s41591-018-0268-3)."""
    from pathlib import Path

    file = Path(__file__).parents[2] / "plugins/models/resnet1d/__init__.py"
    kind = load_plugin_class(file, "ResNet1d")
    params = kind.presets["hannun"].params
    torch.manual_seed(0)
    return kind(kind.Params(**params)).build(1, 8960, 4)


def pruned(network, kept):
    """As many random weights left of all that can be pruned."""
    weights = [
        m.weight for m in network.modules() if isinstance(m, nn.Conv1d | nn.Linear)
    ]
    assert sum(w.numel() for w in weights) == PRUNABLE
    generator = torch.Generator().manual_seed(0)
    left = torch.zeros(PRUNABLE)
    left[torch.randperm(PRUNABLE, generator=generator)[:kept]] = 1
    parts = left.split([w.numel() for w in weights])
    with torch.no_grad():
        for weight, part in zip(weights, parts, strict=True):
            weight.copy_(part.view_as(weight))
    return network


def test_the_index_of_10_million_weights_at_42x(hannun):
    """LTH-ECG's ticket as in the sizes worked out for it: 248,917 of 10,454,528 weights
    are 0.95 MiB; their index is 1.25 MiB as a bitmap, 0.47 MiB as 16-bit deltas.
    """
    found = stored_bytes(pruned(hannun, 248_917))
    assert found.values == 4 * 248_917
    assert found.values / MEBIBYTE == pytest.approx(0.95, abs=0.005)
    assert bitmap_bytes(PRUNABLE) / MEBIBYTE == pytest.approx(1.25, abs=0.005)
    assert found.index / MEBIBYTE == pytest.approx(0.47, abs=0.005)
    assert found.other / MEBIBYTE == pytest.approx(0.07, abs=0.005)
    assert found.dense_total / MEBIBYTE == pytest.approx(39.96, abs=0.01)


def test_the_index_of_10_million_weights_at_142x(hannun):
    """At the reduction that Sahu et al. 2022 (doi 10.1109/EMBC48229.2022.9871259)
    report: 0.28 MiB of values, 0.14 MiB of index, 0.07 MiB of other tensors.
    """
    found = stored_bytes(pruned(hannun, round(PRUNABLE / 142)))
    sizes = [part / MEBIBYTE for part in (found.values, found.index, found.other)]
    assert sizes == pytest.approx([0.28, 0.14, 0.07], abs=0.005)
