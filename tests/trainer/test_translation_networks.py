"""Translators and the PatchGAN against the published code, and the sizes that they take."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.networks.patch import new_patch_discriminator
from gan_trainer.networks.translator import Translator, new_translator
from gan_trainer.recipes.translation import PATCHES


def translator(
    network: str,
    size: tuple[int, int] = (64, 64),
    channels: tuple[int, int] = (3, 3),
    downs: int = 0,
    blocks: int = 2,
    skip: bool = False,
    **body: Any,
) -> Translator:
    source, target = (ImageSize(*size, count) for count in channels)
    body = {"width": 8, "norm": "batch", "up": "nearest", "dropout": 0.0} | body
    return new_translator(network, source, target, downs, blocks, skip=skip, **body)


def patches(size: tuple[int, int, int], strided: int, width: int = 8, norm: str = "instance") -> nn.Module:
    return new_patch_discriminator(ImageSize(*size), strided, width, norm)


def with_formula_weights(network: nn.Module) -> nn.Module:
    """Convolution i has the weights sin(1.7 k + i) / 10 and biases cos(k + i) / 10, k the index of the number."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    with torch.no_grad():
        for i, module in enumerate(convolutions):
            numbers = torch.arange(module.weight.numel(), dtype=torch.float64)
            module.weight.copy_((0.1 * torch.sin(1.7 * numbers + i)).view(module.weight.shape))
            if module.bias is not None:
                module.bias.copy_(0.1 * torch.cos(torch.arange(len(module.bias), dtype=torch.float64) + i))
    return network.eval()


def formula_picture(channels: int, height: int, width: int) -> Tensor:
    numbers = torch.arange(channels * height * width, dtype=torch.float64)
    return torch.sin(0.37 * numbers + 0.01 * numbers.sqrt()).view(1, channels, height, width).float()


# Mean, standard deviation and five evenly spaced values of the outputs of models/networks.py of
# junyanz/pytorch-CycleGAN-and-pix2pix, commit cb2c4f8, with instance norm, weights and pictures by the formulas above.
AUTHORS: list[tuple[Callable[[], nn.Module], tuple[int, int, int], tuple[float, ...]]] = [
    (
        lambda: translator("unet", (256, 256), (1, 3), width=4, norm="instance", up="transposed", dropout=0.5),
        (1, 256, 256),
        (-0.065631, 0.136974, -0.154847, -0.140206, 0.112317, -0.142648, -0.123426),
    ),
    (
        lambda: translator("unet", (128, 128), width=4, norm="instance", up="transposed"),
        (3, 128, 128),
        (0.009982, 0.152016, 0.139565, -0.250169, -0.136199, 0.247774, 0.00225),
    ),
    (
        lambda: translator("resnet", (64, 48), blocks=9, norm="instance", up="transposed"),
        (3, 64, 48),
        (0.022058, 0.369660, -0.089165, -0.212996, -0.015864, 0.321722, 0.168132),
    ),
    (
        lambda: translator("resnet", (64, 48), blocks=6, norm="instance", up="transposed"),
        (3, 64, 48),
        (0.039983, 0.354340, 0.225664, -0.233493, 0.06737, 0.293377, 0.094563),
    ),
    (
        lambda: patches((64, 64, 6), 3),
        (6, 64, 64),
        (-0.123614, 0.221780, -0.1726, -0.05625, 0.246885, -0.025679, 0.207405),
    ),
    (
        lambda: patches((64, 48, 3), 2),
        (3, 64, 48),
        (-0.056441, 0.197773, 0.254465, -0.101853, 0.101323, -0.137245, -0.047195),
    ),
    (
        lambda: patches((256, 256, 3), 5, width=4),
        (3, 256, 256),
        (-0.171863, 0.518193, 0.038019, 0.236549, -0.455269, 0.442777, 0.155854),
    ),
]


@pytest.mark.parametrize(("network", "picture", "expected"), AUTHORS)
def test_outputs_are_those_of_the_authors_code(network, picture, expected) -> None:
    with torch.no_grad():
        values = with_formula_weights(network())(formula_picture(*picture)).flatten()
    found = [values.mean(), values.std(), *values[torch.linspace(0, len(values) - 1, 5).long()]]
    torch.testing.assert_close(torch.stack(found), torch.tensor(expected), atol=5e-6, rtol=0)


@pytest.mark.parametrize(("side", "strided"), PATCHES.items())
def test_a_logit_sees_a_patch_of_this_side(side: int, strided: int) -> None:
    """By the gradient of one logit; 70 pixels are those of Isola et al. 2017."""
    pixels = 2 * side + 16
    image = torch.randn(1, 3, pixels, pixels, requires_grad=True)
    logits = patches((pixels, pixels, 3), strided, width=2, norm="none")(image)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    assert image.grad is not None
    for axis in (2, 3):
        seen = image.grad.abs().amax(tuple({1, 2, 3} - {axis})).flatten().nonzero()
        assert int(seen.max() - seen.min()) + 1 == side


@pytest.mark.parametrize("strided", PATCHES.values())
def test_the_smallest_images_of_a_discriminator_have_one_logit(strided: int) -> None:
    least = 3 << strided
    assert patches((least, least, 3), strided)(torch.zeros(2, 3, least, least)).shape == (2, 1, 1, 1)
    with pytest.raises(InputError, match=rf"{least - 1}x{least} pixels: .* needs {least}; choose a smaller --patch"):
        patches((least - 1, least, 3), strided)


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("up", ["transposed", "nearest", "bilinear"])
@pytest.mark.parametrize("network", ["unet", "resnet"])
def test_outputs_have_the_size_of_the_input(network: str, up: str, norm: str) -> None:
    made = translator(network, downs=3, channels=(1, 3), norm=norm, up=up, dropout=0.5).eval()
    assert (made.multiple, made.least, made.norm) == ((8, 8, norm) if network == "unet" else (4, 8, norm))
    for height, width in ((made.least, made.least), (made.least + made.multiple, 40), (72, made.least)):
        images = made(torch.rand(2, 1, height, width) * 2 - 1)
        assert images.shape == (2, 3, height, width)
        assert images.abs().max() <= 1


def test_a_smaller_picture_than_the_least_cannot_be_padded() -> None:
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        translator("resnet").eval()(torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize(("size", "downs"), [((64, 64), 6), ((512, 512), 8), ((96, 64), 5), ((64, 40), 3)])
def test_a_unet_halves_pictures_until_a_side_is_odd_but_at_most_eight_times(size: tuple[int, int], downs: int) -> None:
    made = translator("unet", size, width=2)
    assert made.multiple == made.least == 2**downs


@pytest.mark.parametrize(
    ("network", "size", "downs", "message"),
    [
        ("unet", (65, 64), 0, "65x64 pixels: a unet halves them at least twice; choose multiples of 4"),
        ("unet", (96, 96), 6, "96x96 pixels: this unet takes multiples of 64 from 64; choose another --size, or fewer"),
        ("resnet", (66, 64), 0, "66x64 pixels: this resnet takes multiples of 4 from 8; choose another --size$"),
        ("resnet", (4, 64), 0, "4x64 pixels: this resnet takes multiples of 4 from 8"),
    ],
)
def test_sizes_that_a_network_does_not_take(network: str, size: tuple[int, int], downs: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        translator(network, size, downs=downs)


def test_inputs_and_outputs_have_one_size() -> None:
    with pytest.raises(InputError, match="32x32 to 64x64 pixels: inputs and outputs must have the same size"):
        new_translator("resnet", ImageSize(32, 32, 3), ImageSize(64, 64, 3), 0, 2, skip=False)


def test_with_a_skip_the_network_gives_a_difference() -> None:
    made, images = translator("resnet", skip=True), torch.rand(2, 3, 16, 16) * 2 - 1
    nn.init.zeros_(made.layers[-1].weight)
    nn.init.constant_(made.layers[-1].bias, 0.5)
    torch.testing.assert_close(made(images), images + 0.5)  # a clipped value would have no gradient
    torch.testing.assert_close(made.eval()(images), (images + 0.5).clamp(-1, 1))
    with pytest.raises(InputError, match="--skip: inputs and outputs have 1 and 3 channels; give --no-skip"):
        translator("resnet", channels=(1, 3), skip=True)


@pytest.mark.parametrize("network", ["unet", "resnet"])
@pytest.mark.parametrize("skip", [False, True])
def test_a_trace_takes_other_sizes(network: str, skip: bool) -> None:
    """No branch and no size is frozen: the tracer warns of none."""
    made = translator(network, downs=3, skip=skip, up="bilinear").eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("error", torch.jit.TracerWarning)
        traced = torch.jit.trace(made, torch.zeros(1, 3, 16, 24))
        for shape in ((2, 3, 8, 8), (1, 3, 64, 40)):
            images = torch.rand(shape) * 2 - 1
            torch.testing.assert_close(traced(images), made(images))


@pytest.mark.parametrize("norm", ["batch", "none", "instance"])
def test_only_instance_norm_looks_at_the_whole_picture(norm: str) -> None:
    made = with_formula_weights(translator("resnet", norm=norm))
    images = torch.rand(1, 3, 96, 16)
    changed = images.clone()
    changed[..., :8, :] = -1
    with torch.no_grad():
        same = torch.equal(made(images)[..., -8:, :], made(changed)[..., -8:, :])
    assert same == (norm != "instance")


def test_dropout_is_where_the_authors_have_it_and_in_training_only() -> None:
    made = translator("unet", (256, 256), width=2, dropout=0.5)
    assert sum(type(module).__name__ == "Dropout" for module in made.modules()) == 3
    images = torch.rand(2, 3, 256, 256)
    assert not torch.equal(made(images), made(images))
    made.eval()
    assert torch.equal(made(images), made(images))
