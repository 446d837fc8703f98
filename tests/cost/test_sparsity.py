import torch
from small_net import LEADS, SmallNet, forward_macs
from torch import nn

from harness.cost.sparsity import inference_macs, sparsity


def test_zeros_are_counted_over_prunable_weights_and_over_all():
    net = nn.Sequential(nn.Conv1d(2, 4, 5), nn.Flatten(), nn.Linear(8, 3))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1)
        net[0].weight[:2] = 0
        net[2].bias.zero_()
    assert sparsity(net) == {"prunable": 20 / 64, "all": 23 / 71}


def test_shared_weights_count_once():
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    net[1].weight = net[0].weight
    assert sparsity(net)["all"] == 0
    assert inference_macs(net, [4])["dense_macs"] == 32


def test_nothing_to_prune_is_null():
    assert sparsity(nn.ReLU()) == {"prunable": None, "all": None}


def test_sparse_macs_skip_zero_weights():
    net = SmallNet()
    assert inference_macs(net, [LEADS, 64]) == {
        "dense_macs": forward_macs(),
        "sparse_macs": forward_macs(),
    }
    with torch.no_grad():
        net.block.weight[:, :, :2] = 0
    saved = 32 * 8 * 8 * 2
    assert inference_macs(net, [LEADS, 64])["sparse_macs"] == forward_macs() - saved


def test_grouped_and_transposed_convolutions():
    net = nn.Sequential(
        nn.Conv1d(4, 8, 3, groups=4), nn.ConvTranspose1d(8, 2, 4, stride=2)
    )
    macs = 8 * 8 * 3 + 8 * 8 * 2 * 4
    assert inference_macs(net, [4, 10])["dense_macs"] == macs


def test_a_net_that_cannot_run_apart_is_null():
    macs = inference_macs(SmallNet(), [LEADS + 1, 64])
    assert macs == {"dense_macs": None, "sparse_macs": None}
