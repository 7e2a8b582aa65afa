"""What an input or output can be, by its type, shape and name."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.model_file import Port

DTYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
          10: "float16", 11: "float64", 12: "uint32", 13: "uint64"}  # fmt: skip
BOOL, FLOATS, INTEGERS = 9, (1, 10, 11), (2, 3, 4, 5, 6, 7, 12, 13)
NCHW, NHWC, NHW = "nchw", "nhwc", "nhw"
CHANNELS = (1, 3, 4)
IMAGE_SHAPES = "images [n, 1, 3 or 4, h, w] or [n, h, w, 1, 3 or 4]"
LEAST_SIDE = 5  # of channels-last images; a shorter axis could be channels
LABELS = re.compile(r"label|class|(?<![a-z])cond|one.?hot|categor|^[cy]\d*$", re.IGNORECASE)
TRUNCATION = re.compile(r"trunc|psi", re.IGNORECASE)


def describe_port(port: Port) -> str:
    """Name, type and shape as text."""
    shape = ", ".join("?" if axis == "" else str(axis) for axis in port.shape)
    return f"{port.name} {DTYPES.get(port.element, f'type {port.element}')} [{shape}]"


def dtype(port: Port) -> np.dtype[Any]:
    """The data type of the values of a port."""
    return np.dtype(DTYPES[port.element])


def is_truncation(port: Port) -> bool:
    """Whether it is psi of StyleGAN's truncation trick, by its name: one number, or one per image."""
    single = len(port.shape) <= 2 and all(axis == 1 or isinstance(axis, str) for axis in port.shape)
    return port.element in FLOATS and single and bool(TRUNCATION.search(port.name))


def is_empty(port: Port) -> bool:
    """Whether it takes no values: [n, 0], the labels of an unconditional StyleGAN."""
    return 0 in port.shape[1:] and port.element in DTYPES and all(isinstance(axis, int) for axis in port.shape[1:])


def is_index(port: Port) -> bool:
    """Whether it takes labels as integers, one per image: [n] or [n, 1]."""
    open_batch = bool(port.shape) and (isinstance(port.shape[0], str) or is_called_labels(port))
    return port.element in INTEGERS and open_batch and (len(port.shape) == 1 or port.shape[1:] == (1,))


def is_row(port: Port) -> bool:
    """Whether it takes latents or one-hot labels: float [n, d] or [n, d, 1, 1], whose ones may be dynamic.

    A dynamic [n, 3, h, w] is an image instead.
    """
    axes = port.shape[1:]
    wide = [axis for axis in axes if isinstance(axis, int) and axis > 1]
    open_axes = [axis for axis in axes if isinstance(axis, str)]
    image = len(axes) == 3 and open_axes and (not wide or wide[0] in CHANNELS)
    known = len(axes) == 1 or width(port) is not None
    return port.element in FLOATS and 1 <= len(axes) <= 3 and len(wide) <= 1 and known and not image


def is_called_labels(port: Port) -> bool:
    """Whether its name is that of labels."""
    return bool(LABELS.search(port.name))


def is_labels(port: Port) -> bool:
    """Whether its name is that of labels and it can take them, one-hot or as numbers of any type."""
    row = is_row(replace(port, element=FLOATS[0])) or len(port.shape) == 1
    return is_called_labels(port) and port.element in FLOATS + INTEGERS and row


def width(port: Port) -> int | None:
    """Values per image of an input [n, d], [n, d, 1, 1] or the like; None if that is dynamic."""
    sizes = [axis for axis in port.shape[1:] if isinstance(axis, int)]
    is_open = len(sizes) < len(port.shape) - 1
    return None if is_open and math.prod(sizes) == 1 else math.prod(sizes)


def row_shape(port: Port, size: int) -> list[int]:
    """The shape of the `size` values of an image. Dynamic axes are 1, or the first is `size` if no fixed one is."""
    axes = [axis if isinstance(axis, int) else 1 for axis in port.shape[1:]]
    if math.prod(axes) != size:
        axes[next(i for i, axis in enumerate(port.shape[1:]) if isinstance(axis, str))] = size
    return axes


def is_one_hot(port: Port) -> bool:
    """Whether labels are one-hot rows and not one number per image."""
    return len(port.shape) > 1 and width(port) != 1 and not (width(port) is None and port.element in INTEGERS)


def label_rows(port: Port, y: NDArray[np.int64], classes: int) -> NDArray[Any]:
    """Labels int64 [n] in the form that `port` takes."""
    rows, size = (y[:, None] == np.arange(classes), classes) if is_one_hot(port) else (y, 1)
    return rows.astype(dtype(port)).reshape(len(y), *row_shape(port, size))


def find_layout(shape: tuple[int | str, ...], layout: str | None = None) -> str | None:
    """The layout of images of this shape, "nchw", "nhwc" or "nhw"; None if the shape is not that of images."""
    if len(shape) == 3 and layout is None and all(isinstance(side, str) or side >= LEAST_SIDE for side in shape[1:]):
        return NHW
    if len(shape) != 4:
        return None
    if layout is not None:
        return layout if _is_channels(shape[1 if layout == NCHW else 3]) else None
    sides = {NCHW: shape[2:], NHWC: shape[1:3]}
    if _is_channels(shape[1]) and not any(side == 1 for side in sides[NCHW]):
        return NCHW
    if _is_channels(shape[3]) and all(isinstance(side, str) or side >= LEAST_SIDE for side in sides[NHWC]):
        return NHWC
    return None


def _is_channels(axis: int | str) -> bool:
    return isinstance(axis, str) or axis in CHANNELS
