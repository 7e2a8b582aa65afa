"""Convert arrays of images in usual layouts and ranges to uint8 [n, h, w, c]; ambiguous arrays are refused."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.images.array_files import StoredArray, open_arrays, pick, read_labels
from gan_runtime.images.choice import some_in_order
from gan_runtime.manifest import ImageSize
from gan_runtime.records import record

ROUNDING = 1e-3  # tolerance of a range
CONVERTED_AT_ONCE = 1024


@record(frozen=True)
class ImageArray:
    """Images uint8 [n, h, w, c], n of `total` ones, their labels int64 [n] if there are any, and remarks."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    total: int
    remarks: tuple[str, ...]


@record(frozen=True)
class _Layout:
    """The layout of an array: whether it is a single image, where its channels are, and a remark."""

    single: bool
    channels_first: bool
    remark: str


def load_image_array(source: str, size: ImageSize, n: int | None = None) -> ImageArray:
    """The images of a .npy, or those of a .npz and its `labels`.

    Args:
        source: the file. In a .npz the array `images` is meant, or the only one that can be images of this size.
        size: of each image. [n, h, w, c] is expected; [n, c, h, w], a single image and, of grey ones, [n, h, w] and
            [n, h * w] are understood.
        n: at most so many of them, chosen by `some_in_order`; all if None.

    Raises:
        InputError: the file cannot be read, has no images of this size, or its values leave open what they mean.
    """
    needed = f"uint8 images {['n', *size.shape]}"
    with open_arrays(source) as arrays:
        array, assumed = pick(arrays, "images", lambda shape: _layout(shape, size), needed, source)
        layout = _layout(array.shape, size)
        if layout is None:
            raise InputError(f"{source}: {_mismatch(array, size)}{needed}")
        if not math.prod(array.shape):
            raise InputError(f"{source}: {array}: there are no images in it")
        total = 1 if layout.single else array.shape[0]
        rows = None if n is None or n >= total else some_in_order(total, n)
        values, scaled = _as_bytes(array.read(rows), source)
        labels = read_labels(arrays, total, rows, source)
    if layout.channels_first:
        values = np.moveaxis(values, -3, -1)
    images = np.ascontiguousarray(values).reshape(-1, *size.shape)
    laid_out = layout.remark and f"{list(array.shape)} {layout.remark}"
    remarks = [remark for remark in (assumed, laid_out, scaled) if remark]
    return ImageArray(images, labels, total, tuple(remarks))


def array_size(source: str) -> ImageSize:
    """The size of the images [n, h, w, c] in a .npy or .npz. Raises InputError if there are none."""
    needed = "uint8 images ['n', height, width, 1 or 3]"
    with open_arrays(source) as arrays:
        array, _ = pick(arrays, "images", _is_usual, needed, source)
        if not _is_usual(array.shape):
            raise InputError(f"{source}: {array}; needs {needed}")
        return ImageSize(*array.shape[1:])


def _is_usual(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[-1] in (1, 3)


def _layout(shape: tuple[int, ...], size: ImageSize) -> _Layout | None:
    """The layout of an array of this shape; None if it holds no images of this size."""
    last, first = size.shape, (size.channels, size.height, size.width)
    grey, pixels = size.channels == 1, (size.height * size.width,)
    known = (
        (shape[1:] == last, _Layout(False, False, "")),
        (shape[1:] == first, _Layout(False, True, "has its channels first")),
        (grey and shape[1:] == last[:2], _Layout(False, False, "has grey images without an axis of channels")),
        (grey and shape[1:] == pixels, _Layout(False, False, "has the pixels of an image in a row")),
        (shape == last or (grey and shape == last[:2]), _Layout(True, False, "is a single image")),
        (shape == first, _Layout(True, True, "is a single image with its channels first")),
    )
    return next((layout for fits, layout in known if fits), None)


def _mismatch(array: StoredArray, size: ImageSize) -> str:
    if array.dtype == np.uint8 and len(array.shape) == 4:
        return f"{' x '.join(map(str, array.shape[1:]))} images, {array}; the file takes {size}: "
    return f"{array}; the file takes "


def _as_bytes(values: NDArray[Any], source: str) -> tuple[NDArray[np.uint8], str]:
    """Values of any type as uint8, and a remark on the assumed range. Raises InputError if the range is ambiguous."""
    kind, low, high = values.dtype, float(values.min()), float(values.max())
    spread = f"{kind} of {low:g} to {high:g}"
    if kind == np.uint8:
        return values, "its values are 0 and 1 of 255, nearly black; multiply by 255 if 1 is white" if high == 1 else ""
    if kind == np.bool_:
        return values.astype(np.uint8) * 255, "bool is taken for black and white"
    if not np.isfinite([low, high]).all():
        raise InputError(f"{source}: {kind} with values that are not finite numbers; repair them")
    scale: tuple[float, float] | None = None
    if kind.kind in "iu":
        if low >= 0 and 2 <= high <= 255:
            scale = (1, 0)
        elif low >= 0 and 2**15 <= high < 2**16:
            scale = (1 / 257, 0)
    elif low >= -ROUNDING and 0.5 <= high <= 1 + ROUNDING:
        scale = (255, 0)
    elif -1 - ROUNDING <= low <= -0.5 and high <= 1 + ROUNDING and max(-low, high) > 0.5 + ROUNDING:
        scale = (127.5, 127.5)
    elif low >= 0 and 32 <= high <= 255:
        scale = (1, 0)
    if scale is None:
        raise InputError(
            f"{source}: {spread}, so black and white are ambiguous; save uint8 of 0 to 255, or floats "
            "of 0 to 1 or of -1 to 1"
        )
    meant = {255: "0 to 1", 127.5: "-1 to 1", 1: "0 to 255"}.get(scale[0], "0 to 65535")
    return _scaled(values, *scale), f"{spread} is taken for {meant}"


def _scaled(values: NDArray[Any], factor: float, offset: float) -> NDArray[np.uint8]:
    scaled = np.empty(values.shape, np.uint8)
    for first in range(0, len(values), CONVERTED_AT_ONCE):
        part = values[first : first + CONVERTED_AT_ONCE].astype(np.float64) * factor + offset
        scaled[first : first + CONVERTED_AT_ONCE] = np.rint(part).clip(0, 255)
    return scaled
