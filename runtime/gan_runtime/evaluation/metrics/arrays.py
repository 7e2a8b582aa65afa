"""Checks of features, and reading them in float64 blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.errors import InputError

Features = NDArray[np.floating[Any]]  # [n, d] in their own precision; blocks are converted to float64
Float64 = NDArray[np.float64]


def checked(features: ArrayLike, name: str) -> Features:
    """`features` as an array [n, d] of real, finite numbers, without copying an array.

    Raises:
        InputError: the shape is another one, or values are not real or not finite; `name` is used in the message.
    """
    array = np.asarray(features)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{name}: the shape is {array.shape}; features are [n, d], one row per image, at least one")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name}: {array.dtype} values; features are real numbers")
    bad = int((~np.isfinite(array)).any(axis=1).sum())
    if bad:
        raise InputError(
            f"{name}: {bad} of {len(array)} rows have values that are not finite; "
            "the network that made these images or their features diverged"
        )
    return array


def checked_pair(real: ArrayLike, fake: ArrayLike, names: tuple[str, str]) -> tuple[Features, Features]:
    """Both arrays after `checked`, with equal widths.

    Raises:
        InputError: as `checked`, or the widths differ.
    """
    a, b = checked(real, names[0]), checked(fake, names[1])
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"{names[1]}: {b.shape[1]} values a row where {names[0]} have {a.shape[1]}; "
            "both must come from the same network"
        )
    return a, b


def blocks(features: Features, rows: int) -> Iterator[tuple[slice, Float64]]:
    """The rows of `features` in blocks of `rows`: their slice, and the block in float64."""
    for first in range(0, len(features), rows):
        part = slice(first, min(first + rows, len(features)))
        yield part, features[part].astype(np.float64)
