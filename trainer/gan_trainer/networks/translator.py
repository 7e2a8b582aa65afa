"""Generators that translate images: a unet or a translation resnet with its output in [-1, 1]."""

from typing import Any

from torch import Tensor, nn

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.networks.translation_resnet import resnet_body
from gan_trainer.networks.unet import Unet

MOST_DOWNS = 8  # of a unet whose recipe does not say: as for 256x256 pixels in Isola et al. 2017
RESNET_MULTIPLE, RESNET_LEAST = 4, 8  # two strided layers; blocks that reflect one pixel need a grid of 2x2


class Translator(nn.Module):
    """A convolutional network from images float [n, c_in, h, w] to images float [n, c, h, w], both in [-1, 1].

    Attributes:
        multiple: h and w must be multiples of this number of pixels.
        least: the smallest h and w, which padding by reflection limits.
        norm: the kind of normalisation: batch, instance or none. With "instance", every pixel depends on the whole
            picture.
    """

    def __init__(self, layers: nn.Module, multiple: int, least: int, norm: str, *, skip: bool) -> None:
        super().__init__()
        self.layers = layers
        self.multiple, self.least, self.norm = multiple, least, norm
        self.skip = skip

    def forward(self, images: Tensor) -> Tensor:
        """The translated images. With `skip`, the input plus a difference, which is clipped in evaluation alone."""
        values: Tensor = self.layers(images)
        if not self.skip:
            return values.tanh()
        return images + values if self.training else (images + values).clamp(-1, 1)


def new_translator(
    network: str, source: ImageSize, size: ImageSize, downs: int, blocks: int, *, skip: bool, **body: Any
) -> Translator:
    """A new generator from images of the size `source` to images of `size`.

    Args:
        network: "unet" or "resnet".
        source, size: of the images that it is trained on; height and width must be the same.
        downs: how often a unet halves the picture; 0: until a side is odd, at most 8.
        blocks: residual blocks of a resnet.
        skip: the output is the input plus a difference.
        body: `width`, `norm`, `up` and `dropout`, as in `unet.Unet`.

    Raises:
        InputError: the network does not support images of these sizes.
    """
    if (source.height, source.width) != (size.height, size.width):
        raise InputError(f"{_pixels(source)} to {_pixels(size)} pixels: inputs and outputs must have the same size")
    if skip and source.channels != size.channels:
        channels = f"{source.channels} and {size.channels} channels"
        raise InputError(f"--skip: inputs and outputs have {channels}; give --no-skip, or the same --input-mode")
    if network == "resnet":
        layers: nn.Module = resnet_body(source.channels, size.channels, blocks, **body)
        multiple, least = RESNET_MULTIPLE, RESNET_LEAST
    else:
        downs = downs or min(_halvings(size.height), _halvings(size.width), MOST_DOWNS)
        multiple = least = 2**downs
        if downs < 2:
            raise InputError(f"{_pixels(size)} pixels: a unet halves them at least twice; choose multiples of 4")
        layers = Unet(source.channels, size.channels, downs, **body)
    if size.height % multiple or size.width % multiple or min(size.height, size.width) < least:
        fewer = ", or fewer --downs" if network == "unet" else ""
        raise InputError(
            f"{_pixels(size)} pixels: this {network} takes multiples of {multiple} from {least}; "
            f"choose another --size{fewer}"
        )
    return Translator(layers, multiple, least, body["norm"], skip=skip)


def _pixels(size: ImageSize) -> str:
    return f"{size.height}x{size.width}"


def _halvings(side: int) -> int:
    """How often a number of pixels can be halved."""
    return (side & -side).bit_length() - 1
