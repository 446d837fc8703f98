"""Figures of a state of a network, by hand."""

import pytest
import torch
from small_net import LEADS, SmallNet, forward_macs
from torch import nn

from harness.cost.size import measured_size, prunable_weights

STEM, BLOCK, HEAD = 8 * 3 * 7, 8 * 8 * 5, 8 * 4
BUILT = STEM + BLOCK + HEAD


def test_a_whole_network():
    net = SmallNet()
    found = measured_size(net, [LEADS, 64], prunable_weights(net))
    assert prunable_weights(net) == BUILT
    assert found["parameters"] == BUILT + 8 + 8 + 4 + 16
    assert (found["prunable"], found["remaining"]) == (BUILT, BUILT)
    assert (found["sparsity"], found["reduction_factor"]) == (0, 1)
    assert found["dense_macs"] == found["sparse_macs"] == forward_macs()
    layers = {"stem": STEM, "block": BLOCK, "head": HEAD}
    assert list(found["remaining_by_layer"].items()) == list(layers.items())


def test_a_pruned_network():
    net = SmallNet()
    with torch.no_grad():
        net.block.weight[:, :, :2] = 0
        net.head.weight[0] = 0
    left = BUILT - 8 * 8 * 2 - 8
    found = measured_size(net, [LEADS, 64], BUILT)
    assert found["remaining"] == left
    assert found["remaining_by_layer"]["block"] == BLOCK - 8 * 8 * 2
    assert found["sparsity"] == (BUILT - left) / BUILT
    assert found["reduction_factor"] == BUILT / left
    assert found["dense_macs"] == forward_macs()
    assert found["sparse_macs"] == forward_macs() - 32 * 8 * 8 * 2 - 8


def test_a_network_of_which_channels_were_taken_is_measured_by_what_was_built():
    found = measured_size(SmallNet(4), [LEADS, 64], prunable_weights(SmallNet(8)))
    left = 4 * 3 * 7 + 4 * 4 * 5 + 4 * 4
    assert found["prunable"] == found["remaining"] == left
    assert found["sparsity"] == 0
    assert found["reduction_factor"] == pytest.approx(BUILT / left)
    assert found["dense_macs"] == forward_macs(4)


def test_nothing_to_prune_and_nothing_left():
    assert measured_size(nn.ReLU(), None, 0)["reduction_factor"] is None
    net = nn.Linear(3, 3)
    nn.init.zeros_(net.weight)
    found = measured_size(net, None, 9)
    assert (found["sparsity"], found["reduction_factor"]) == (1, None)
    assert (found["dense_macs"], found["sparse_macs"]) == (None, None)


def test_shared_weights_belong_to_the_first_layer():
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    net[1].weight = net[0].weight
    assert measured_size(net, [4], 16)["remaining_by_layer"] == {"0": 16}
