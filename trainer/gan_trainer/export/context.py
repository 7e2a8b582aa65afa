"""How far an output pixel of a network looks: computed from the network, confirmed by tiles of the exported file."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_runtime.evaluation.fingerprint import source_images
from gan_runtime.image_to_image.model import ImageToImage
from gan_runtime.manifest import ImageAxes, Tiling
from gan_runtime.tiling import least_window
from gan_trainer.data.pixels import denormalise, normalise, to_pixels
from gan_trainer.export.onnx_file import ExportError, first_line

MOST = 1024  # pixels; what looks further is treated as if it saw the whole image
TILE = 256  # pixels, the side of the tiles whose error is measured
PICTURES = 2
STEPS = 4  # a picture that is compared with its tiles is longer than one by at most so many strides of the network
SHORT = 32  # pixels, its other side at most
FAR = 64  # pixels of context, beyond which exact tiles are nearly all overlap
NEAR = 16, 32, 64  # pixels of context that are tried then
HALF = 256  # pixels of a picture that is cut for this on each side of the seam, at least
CONTRAST = 1.5
ALIKE_DB = 99.0  # in place of the infinite PSNR of equal pictures


def context_of(network: nn.Module, channels: int, multiple: int, least: int, scale: int = 1) -> int | None:
    """The pixels on each side that an output pixel depends on; None if it is the whole image, or more than `MOST`.

    A block of `multiple` x `multiple` input pixels is NaN, and so is every output that depends on it: each operation
    that uses a NaN gives one, whatever the weights are. The network has the same values, shifted, at multiples of its
    stride, so that one block shows what all pixels do. The strip around it is so long that a dilated kernel does not
    reach over its ends.

    Args:
        network: images float [n, channels, h, w] -> images `scale` times as high and wide, in evaluation mode.
        channels: of its input.
        multiple, least: as the network's attributes.
        scale: factor of height and width.

    Returns:
        Pixels of the input: an output pixel belongs to the input pixel in whose place it is.
    """
    side, length = _multiple_of(least, multiple), 2 * _multiple_of(MOST + multiple, multiple)
    reached = [_reach(network, channels, multiple, shape, scale) for shape in ((side, length), (length, side))]
    seen = [pixels for pixels in reached if pixels is not None and pixels <= MOST]
    return max(seen) if len(seen) == len(reached) else None


@torch.no_grad()
def _reach(network: nn.Module, channels: int, multiple: int, shape: tuple[int, int], scale: int) -> int | None:
    """How far along the longer axis a block in the middle changes anything; None if that is as far as the end."""
    length = max(shape)
    along = 3 if length == shape[1] else 2
    first = length // 2 // multiple * multiple
    images = torch.zeros(1, channels, *shape)
    images.narrow(along, first, multiple).fill_(math.nan)
    try:
        found = network(images)
    except Exception as error:  # a user's network may raise anything
        raise ExportError(f"the network fails with images of {shape[0]}x{shape[1]}: {first_line(error)}") from error
    expected = scale * shape[0], scale * shape[1]
    if found.shape[2:] != expected:
        raise ExportError(
            f"the network gives {found.shape[2]}x{found.shape[3]}, not {expected[0]}x{expected[1]}, for images of "
            f"{shape[0]}x{shape[1]}, which are multiples of {multiple}, its attribute multiple"
        )
    changed = found.isnan().movedim(along, 0).flatten(1).any(1).nonzero().flatten()
    if not len(changed):
        return 0
    start, stop = int(changed[0]) // scale, int(changed[-1]) // scale + 1
    return None if start == 0 or stop == length else max(first - start, stop - first - multiple, 0)


def check_tiles(opened: ImageToImage) -> None:
    """Raise ExportError if small tiles of a picture differ from the whole, for a network of finite context."""
    tiling = _tiling(opened)
    multiple, window = tiling.multiple, least_window(tiling) + tiling.multiple
    long = window + min(window, STEPS * multiple) + multiple // 2 + 1
    short = max(tiling.least, min(window // 4, SHORT)) + 1
    for height, width in ((short, long), (long, short)):
        change = _difference(opened, height, width, window)
        if change.any():
            raise ExportError(
                f"tiles of {window} pixels differ from the whole picture by {np.abs(change).max()} grey levels, though "
                f"no pixel should depend on others further away than {tiling.context}: does the network use its "
                "attribute multiple, or the position of a pixel?"
            )


def near_context(opened: ImageToImage) -> int | None:
    """A smaller context of `NEAR` from which tiles are at most a level from the whole along a seam; None if none is.

    A picture that is twice as long as the network sees is run as a whole, and from `near` pixels before its middle on.
    """
    multiple, context = _tiling(opened).multiple, _tiling(opened).context or 0
    middle = _multiple_of(max(context, HALF), multiple)
    for near in sorted({_multiple_of(pixels, multiple) for pixels in NEAR}):
        if near < context and max(_cut(opened, middle, near, along) for along in (0, 1)) <= 1:
            return near
    return None


def _multiple_of(pixels: int, multiple: int) -> int:
    """So many pixels, rounded up to a multiple."""
    return -(-pixels // multiple) * multiple


def _cut(opened: ImageToImage, middle: int, near: int, along: int) -> int:
    """The largest difference behind `middle` of a picture, of which `near` pixels before it are seen, to the whole."""
    shape = (2 * middle, SHORT) if along == 0 else (SHORT, 2 * middle)
    picture = random_picture(*shape, opened.manifest.source.channels or 3)
    part = np.take(picture, range(middle - near, 2 * middle), along)
    whole, cut = (opened.run_picture(pixels, 0).astype(np.int16) for pixels in (picture, part))
    kept = middle * opened.scale
    behind = [np.take(pixels, range(-kept, 0), along) for pixels in (whole, cut)]
    return int(np.abs(behind[0] - behind[1]).max())


def tile_psnr(opened: ImageToImage) -> tuple[int, float]:
    """How far blended tiles are from the whole picture: the side of a tile, and the PSNR in dB of `PICTURES` pictures.

    The pictures are twice as wide and high as a tile.
    """
    tile = max(TILE, least_window(_tiling(opened)))
    changes = [_difference(opened, 2 * tile, 2 * tile, tile, seed) for seed in range(PICTURES)]
    error = float(np.square(changes, dtype=np.float64).mean())
    return tile, round(min(ALIKE_DB, 10 * math.log10(255**2 / error)), 1) if error else ALIKE_DB


def _difference(opened: ImageToImage, height: int, width: int, tile: int, seed: int = 0) -> NDArray[np.int16]:
    """What tiles give less what the whole gives, of a random picture."""
    picture = random_picture(height, width, opened.manifest.source.channels or 3, seed)
    whole, tiled = (opened.run_picture(picture, side).astype(np.int16) for side in (0, tile))
    return tiled - whole


def random_picture(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint8]:
    """A picture uint8 [height, width, channels] with the spectrum of photographs: large things have more contrast.

    Burton and Moorhead 1987, "Color and spatial structure in natural scenes": amplitudes fall as 1 / frequency.
    """
    total = torch.zeros(1, channels, height, width)
    for octave in range(1, max(height, width).bit_length()):
        grid = source_images(ImageAxes(2**octave, 2**octave, channels), 1, seed * 64 + octave)
        smooth = nn.functional.interpolate(normalise(torch.from_numpy(grid)), (height, width), mode="bilinear")
        total += smooth / 2**octave
    pixels: NDArray[np.uint8] = to_pixels(denormalise(total * CONTRAST))[0].numpy()
    return pixels


def _tiling(opened: ImageToImage) -> Tiling:
    assert opened.manifest.network
    return opened.manifest.network
