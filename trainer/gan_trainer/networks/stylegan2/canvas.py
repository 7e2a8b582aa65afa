"""The square that networks draw on: its side is a power of two, and images are its centre."""

from torch import Tensor
from torch.nn.functional import pad

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize

COARSEST, SMALLEST, LARGEST = 4, 8, 1024


def canvas_side(size: ImageSize) -> int:
    """The least power of two that is not less than height and width, at least 8.

    Raises:
        InputError: it would be more than 1024.
    """
    longest = max(size.height, size.width)
    if longest > LARGEST:
        raise InputError(
            f"{size.height} x {size.width} pixels: stylegan2 draws at most {LARGEST} x {LARGEST}; give a smaller --size"
        )
    return max(SMALLEST, 1 << (longest - 1).bit_length())


def grids(side: int) -> list[int]:
    """The sides of the grids from 4 to `side`, each twice the one before."""
    return [2**power for power in range(COARSEST.bit_length() - 1, side.bit_length())]


def centre(canvas: Tensor, size: ImageSize) -> Tensor:
    """The images in the middle of float [n, c, side, side]; the odd pixel lies below and on the right of them."""
    top, left = ((canvas.shape[-1] - side) // 2 for side in (size.height, size.width))
    return canvas[:, :, top : top + size.height, left : left + size.width]


def on_canvas(images: Tensor, side: int) -> Tensor:
    """Images float [n, c, h, w] where `centre` takes them from, with zeros around them."""
    rows, columns = (side - length for length in images.shape[2:])
    if not rows and not columns:
        return images
    return pad(images, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
