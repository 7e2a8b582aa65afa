"""Convolutions between pixel shuffles."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from gan_trainer.export.network import plain_copy
from gan_trainer.export.shuffled import merge_shuffles


def shuffled(side: int, factor: int, last: int, outputs: int = 1, *, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(side + factor)
    conv = nn.Conv2d(24, outputs * last**2, side, padding=side // 2, bias=bias)
    return nn.Sequential(nn.PixelShuffle(factor), nn.ReLU(), conv, nn.PixelShuffle(last)).eval()


@pytest.mark.parametrize(("side", "factor", "last", "bias"), [(3, 2, 2, True), (1, 2, 1, True), (3, 2, 1, False)])
def test_a_merged_convolution_gives_the_same(side: int, factor: int, last: int, bias: bool) -> None:
    network = shuffled(side, factor, last, bias=bias)
    x = torch.randn(2, 24 * factor**2, 5, 7)
    expected = network(x)
    merge_shuffles(network)
    assert [type(layer) for layer in network] == [nn.Identity, nn.ReLU, nn.Conv2d, nn.PixelShuffle]
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-5)


def many_outputs(network: nn.Sequential) -> nn.Sequential:
    network[2] = nn.Conv2d(24, 12, 3, padding=1)
    return network.eval()


def reflected(network: nn.Sequential) -> nn.Sequential:
    network[2].padding_mode = "reflect"
    return network


def hooked(network: nn.Sequential) -> nn.Sequential:
    network[2].register_forward_hook(lambda *_: None)
    return network


@pytest.mark.parametrize("change", [many_outputs, reflected, hooked])
def test_others_stay(change: Callable[[nn.Sequential], nn.Sequential]) -> None:
    network = change(shuffled(3, 2, 2))
    merge_shuffles(network)
    assert [type(layer) for layer in network] == [nn.PixelShuffle, nn.ReLU, nn.Conv2d, nn.PixelShuffle]


def test_exported_copies_are_merged() -> None:
    network = shuffled(3, 2, 2)
    rows = (torch.randn(4, 96, 5, 5).numpy(),)
    assert [type(layer) for layer in plain_copy(network, rows)] == [nn.Identity, nn.ReLU, nn.Conv2d, nn.PixelShuffle]
