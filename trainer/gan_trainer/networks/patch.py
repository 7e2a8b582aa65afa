"""The PatchGAN of Isola et al. 2017, section A.1.2: a discriminator that judges every patch of an image."""

from itertools import pairwise

from torch import nn

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.networks.layers import normalise, small_weights

MOST = 8  # times `width`


def new_patch_discriminator(size: ImageSize, strided: int, width: int, norm: str) -> nn.Sequential:
    """Images float [n, c, h, w] -> logits float [n, 1, h', w'], one per patch. Convolutions of 4x4.

    Args:
        size: of the images; `channels` counts those of all images that are judged together.
        strided: layers with stride 2, which two layers with stride 1 follow. Patches have a side of 16, 34, 70, 142
            or 286 pixels for 1 to 5 of them.
        width: channels of the first layer; each next one has twice as many, at most eight times as many.
        norm: a kind of `normalise`; the first layer and the last one have none.

    Raises:
        InputError: the images are too small to have a logit.
    """
    if min(size.height, size.width) >> strided < 3:
        raise InputError(
            f"{size.height}x{size.width} pixels: a discriminator with {strided} strided layers needs {3 << strided}; "
            "choose a smaller --patch"
        )
    widths = [width * min(2**i, MOST) for i in range(strided + 1)]
    layers: list[nn.Module] = [nn.Conv2d(size.channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for i, (fewer, more) in enumerate(pairwise(widths), 1):
        stride = 2 if i < strided else 1
        layers += [
            nn.Conv2d(fewer, more, 4, stride, 1, bias=norm != "batch"),
            *normalise(norm, more),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1)).apply(small_weights)
