"""Images that are in memory already: arrays and torch data sets as a `Dataset`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gan_runtime.data import Dataset
from gan_runtime.data.cache import digest_of_images
from gan_runtime.data.domains import Domains, PairOptions, domains_of, with_inputs
from gan_runtime.errors import DataError, InputError

CHANNELS = (1, 3)
TAKEN = "uint8 [n, h, w, 1 or 3]"


def in_memory(data: Any, class_names: Sequence[str] | None = None) -> Dataset:
    """The images of an array, or those of a torch data set, which is read once and whole.

    Args:
        data: one of
            - a numpy array uint8 [n, h, w, c] of 1 or 3 channels;
            - a tuple of such an array and labels: integers [n], 0 for the first class;
            - a torch Dataset with a length. Its items are images, or (image, label). An image is a PIL image, a numpy
              array uint8 [h, w] or [h, w, c], or a tensor [h, w] or [c, h, w]: uint8, or float in [0, 1].
        class_names: names of the classes; "0", "1", … or the data set's own `classes` if None.

    Raises:
        DataError: it is something else, or the images are not all of one size.
    """
    labels: Any = None
    if isinstance(data, np.ndarray):
        images = data
    elif isinstance(data, tuple) and len(data) == 2:
        images, labels = data
    elif isinstance(data, torch.utils.data.Dataset) and hasattr(data, "__len__"):
        images, labels = _read(data)
        class_names = class_names or _classes_of(data)
    else:
        raise DataError(
            f"data of type {type(data).__name__}: give the name of a data set, the path of a folder or .zip of images, "
            f"an array {TAKEN}, a tuple (array, labels), or a torch Dataset with a length"
        )
    _check_images(images)
    images = np.ascontiguousarray(images)
    numbers, classes = _classes(labels, len(images), class_names)
    digest = digest_of_images(images)
    digest.update(json.dumps([classes, numbers.tolist()]).encode())
    return Dataset("array", "train", images, numbers, classes, digest.hexdigest())


def two_domains(data: Dataset | Mapping[str, Dataset], pairs: PairOptions) -> Domains:
    """The two domains of images in memory.

    Args:
        data: the data sets "A" and "B"; or one data set, the targets of the inputs that `pairs.input` makes.
        pairs: which is the input, and whether image i of A belongs to image i of B.

    Raises:
        DataError: a domain is missing, or the domains do not fit together.
        InputError: an option does not apply.
    """
    if pairs.input_mode:
        raise InputError(f"--input-mode {pairs.input_mode}: an array is used as it is; leave it out")
    if isinstance(data, Dataset):
        if not pairs.input:
            raise DataError("data: one array is one domain; give {'A': inputs, 'B': targets}, or input='sketch'")
        return with_inputs(data, pairs.input)
    if pairs.input:
        raise InputError(f"--input {pairs.input}: the data has inputs and targets, A and B; leave it out")
    if set(data) != {"A", "B"}:
        raise DataError(f"data: a dict of two domains has the keys 'A' and 'B', not {', '.join(map(repr, data))}")
    shapes = [data[name].images.shape for name in "AB"]
    if shapes[0][1:3] != shapes[1][1:3] or (pairs.paired and shapes[0][0] != shapes[1][0]):
        wanted = (
            "as many images of one size, since image i of A belongs to image i of B" if pairs.paired else "one size"
        )
        raise DataError(f"data: A is {list(shapes[0])} and B {list(shapes[1])}; they must have {wanted}")
    source, target = (data[name] for name in ("AB" if pairs.direction == "AtoB" else "BA"))
    return domains_of(source, target, pairs.paired)


def _check_images(images: Any) -> None:
    """Raise DataError where `images` is no array of images."""
    if not isinstance(images, np.ndarray):
        raise DataError(f"images of type {type(images).__name__}: must be a numpy array {TAKEN}")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in CHANNELS:
        raise DataError(f"images {images.dtype} {list(images.shape)}: must be {TAKEN}")
    if not images.size:
        raise DataError(f"images {images.dtype} {list(images.shape)}: there are none to train on")


def _classes(labels: Any, n: int, class_names: Sequence[str] | None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The number of each image's class, int64 [n], and the names of the classes."""
    if labels is None:
        if class_names:
            raise DataError("class_names: there are no labels; give data as a tuple (images, labels)")
        return np.zeros(n, np.int64), ()
    numbers = np.asarray(labels)
    if numbers.shape != (n,) or numbers.dtype.kind not in "iu":
        raise DataError(f"labels {numbers.dtype} {list(numbers.shape)}: must be one integer per image, [{n}]")
    names = tuple(class_names or map(str, range(int(numbers.max()) + 1)))
    if numbers.min() < 0 or numbers.max() >= len(names):
        raise DataError(
            f"labels from {numbers.min()} to {numbers.max()}: must be in [0, {len(names)}) for {len(names)} classes"
        )
    return numbers.astype(np.int64), names


def _classes_of(data: Any) -> tuple[str, ...] | None:
    """The `classes` that data sets of torchvision have."""
    names = getattr(data, "classes", None)
    return tuple(names) if names and all(isinstance(name, str) for name in names) else None


def _read(data: Any) -> tuple[NDArray[np.uint8], NDArray[Any] | None]:
    """All images of a torch data set, and their labels if its items have some."""
    items = [data[index] for index in range(len(data))]
    pairs = [item if isinstance(item, tuple | list) else (item,) for item in items]
    if len({len(pair) for pair in pairs}) != 1 or len(pairs[0]) not in (1, 2):
        raise DataError("data: each item of the data set must be an image, or each must be (image, label)")
    images = [_pixels(pair[0], index) for index, pair in enumerate(pairs)]
    for index, image in enumerate(images):
        if image.shape != images[0].shape:
            raise DataError(
                f"data: image {index} is {list(image.shape)} and image 0 {list(images[0].shape)}; resize them"
            )
    labels = np.array([int(pair[1]) for pair in pairs]) if len(pairs[0]) == 2 else None
    return np.stack(images), labels


def _pixels(image: Any, index: int) -> NDArray[np.uint8]:
    """One image of a data set as uint8 [h, w, c]."""
    if isinstance(image, torch.Tensor):
        values = image.detach().cpu()
        values = values.permute(1, 2, 0) if values.ndim == 3 else values
        if values.is_floating_point():
            if not bool(((values >= 0) & (values <= 1)).all()):
                raise DataError(f"data: image {index} has values outside of [0, 1]; leave out the normalisation")
            values = (values * 255).round().to(torch.uint8)
        pixels = values.numpy()
    else:
        pixels = np.asarray(image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.dtype != np.uint8 or pixels.ndim != 3:
        raise DataError(
            f"data: image {index} is {type(image).__name__} {pixels.dtype} {list(pixels.shape)}; it must be a "
            "grey or RGB PIL image, an array uint8 [h, w] or [h, w, c], or a tensor [h, w] or [c, h, w], uint8 or "
            "float in [0, 1]"
        )
    return pixels
