"""Networks that enlarge images: the numbers of the authors' code, shapes, and what they are before training.

The numbers were computed by RRDBNet and SRVGGNetCompact of BasicSR at 8d56e3a from the weights and pictures of
`formulas`. On random weights both differ by nothing from the networks here, at 1 x 1, 7 x 12 and 24 x 17 pixels.
"""

import numpy as np
import pytest
import torch
from formulas import textured, weights
from torch import nn
from torch.nn.functional import interpolate

from gan_trainer.networks.upscaling import UPSCALERS, Compact, Edsr, Rrdb, Upscaler, new_upscaler
from gan_trainer.networks.upscaling.edsr import ResidualBlock

SIZES = (1, 1), (5, 9), (16, 11)  # times the multiple
PUBLISHED = {  # six values of the enlarged pictures of each size
    "rrdb x4": (
        lambda: Rrdb(4, 3, 64, 6),
        [0.05193, 0.29459, 0.04974, -0.00221, -0.29824, 0.08084],
        [0.58392, -0.61214, 0.33923, -2.33207, -0.28123, -2.11867],
        [0.5355, 0.21907, 0.35043, -1.53048, -0.32658, -1.17647],
    ),
    "rrdb x2": (
        lambda: Rrdb(2, 3, 32, 2, growth=16, unshuffle=2),
        [0.05913, -0.16159, -0.05523, 0.26669, -0.04325, -0.48865],
        [-0.5827, -2.25415, -0.27917, 0.40729, 0.11306, -3.47106],
        [-0.60961, -2.91969, -0.22373, 0.47218, 0.0795, -3.75928],
    ),
    "rrdb x1": (
        lambda: Rrdb(1, 3, 16, 1, growth=8, unshuffle=4),
        [-0.00041, -0.01174, 0.12287, 0.14941, -0.00031, -0.09233],
        [-0.47196, 1.39533, 0.52254, -0.19709, 0.05713, -0.56175],
        [-0.53269, 1.32661, 0.53534, -1.84016, 0.13714, -1.0975],
    ),
    "compact prelu x4": (
        lambda: Compact(4, 3, 64, 16, "prelu"),
        [0.77091, 0.67978, 0.56831, 0.74803, 0.65142, 0.56958],
        [0.79352, 0.86267, 0.68986, 0.98258, 0.68198, 0.82514],
        [0.72739, 0.69717, 0.65697, 0.23379, 0.66406, 0.50372],
    ),
    "compact relu x2": (
        lambda: Compact(2, 3, 24, 4),
        [0.77377, 0.71278, 0.8123, 0.74515, 0.69652, 0.54734],
        [1.19779, 1.38011, 0.67904, 0.96424, 0.83321, 0.99317],
        [1.25982, 0.75276, 0.68818, 0.72027, 0.7713, 0.49441],
    ),
}


def with_formula_weights(network: nn.Module) -> nn.Module:
    """`network` with weights by the formula."""
    values = weights({name: tuple(value.shape) for name, value in network.state_dict().items()})
    network.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
    return network.eval()


def picture(height: int, width: int, channels: int = 3) -> torch.Tensor:
    """float [1, channels, height, width] in [0, 1]."""
    return torch.from_numpy(textured(height, width, channels)).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("name", PUBLISHED)
@torch.no_grad()
def test_values_are_those_of_the_authors_code(name: str) -> None:
    make, *expected = PUBLISHED[name]
    network = with_formula_weights(make())
    assert isinstance(network, Upscaler)
    for (height, width), values in zip(SIZES, expected, strict=True):
        enlarged = network(picture(height * network.multiple, width * network.multiple)).flatten()
        np.testing.assert_allclose(enlarged[:: -(-len(enlarged) // 6)], values, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", UPSCALERS)
@torch.no_grad()
def test_every_network_enlarges_by_every_scale(name: str, scale: int, channels: int) -> None:
    network = new_upscaler(name, scale, channels, width=8, blocks=2)
    assert network(torch.rand(2, channels, 5, 3)).shape == (2, channels, 5 * scale, 3 * scale)
    assert (network.scale, network.multiple, network.least, network.norm) == (scale, 1, 1, "none")


@pytest.mark.parametrize("name", ["compact", "edsr"])
@torch.no_grad()
def test_a_new_network_nearly_enlarges(name: str) -> None:
    image = picture(12, 10)
    torch.manual_seed(0)
    difference = new_upscaler(name, 4, 3, width=32, blocks=4)(image) - interpolate(image, scale_factor=4.0)
    assert difference.abs().max() < 0.1


@torch.no_grad()
def test_the_layers_of_a_new_compact_network_keep_the_differences_between_pixels() -> None:
    torch.manual_seed(0)
    features, network = picture(24, 24), Compact(4, 3, 32, 8)
    for layer in network.body[:-1]:
        features = layer(features)
    assert features.std((2, 3)).mean() > 0.3 * features.mean(), "0.1 times with torch's own weights"


def test_residual_blocks_add_to_their_input() -> None:
    block = ResidualBlock(4)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    x = torch.randn(2, 4, 3, 5)
    assert torch.equal(block(x), x)


def test_names_of_weights_are_the_published_ones() -> None:
    names = set(Rrdb(4, 3, 8, 1).state_dict())
    assert {"conv_first.weight", "body.0.rdb3.conv5.bias", "conv_up2.weight", "conv_hr.bias", "conv_last.bias"} <= names
    assert list(Compact(4, 3, 8, 1, "prelu").state_dict()) == [
        *("body.0.weight", "body.0.bias", "body.1.weight"),
        *("body.2.weight", "body.2.bias", "body.3.weight"),
        *("body.4.weight", "body.4.bias"),
    ]
    assert "conv_after_body.weight" in Edsr(4, 3, 8, 1).state_dict()
