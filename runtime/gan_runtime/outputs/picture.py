"""Write all images as one grid."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.images.grids import arrange, check_grid, write_png
from gan_runtime.latents import default_labels
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.pipeline import batches
from gan_runtime.outputs.sampled import SampledImages
from gan_runtime.outputs.source import Source

S = TypeVar("S", bound=Source)


def write_grid(file: BinaryIO, source: Source, options: Options) -> None:
    """All images in one PNG, row by row; as many columns as make it about square unless the options say more."""
    check_by_class(source, options)
    layout = options.layout(source.classes)
    check_grid(source.shape, layout)
    with batches(labelled(source, options), quiet=options.quiet) as images:
        picture = arrange(whole(source, images), layout)
    write_png(file, picture)


def whole(source: Source, batches: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """The batches of `source` in one array, which is allocated once."""
    images, first = np.empty(source.shape, source.dtype), 0
    for batch in batches:
        images[first : first + len(batch)] = batch
        first += len(batch)
    return images


def check_by_class(source: Source, options: Options) -> None:
    """Raise InputError where a picture by class is asked for and `source` does not allow it."""
    if not options.by_class:
        return
    if not isinstance(source, SampledImages):
        raise InputError("--by-class: draws each class with a generator, and these images are there; leave it out")
    classes, request = source.classes, source.request
    if not classes:
        raise InputError(f"--by-class: {source.path} is unconditional; leave it out")
    if request.own_latents is not None:
        raise InputError("--by-class: cannot be combined with --latents; leave one of them out")
    if request.own_labels is not None:
        raise InputError("--by-class: cannot be combined with --label; leave one of them out")
    if options.columns not in (None, classes):
        raise InputError(f"--columns {options.columns}: --by-class has one column per class, {classes}; leave it out")


def labelled(source: S, options: Options) -> S:
    """`source` with the labels that the columns of a picture by class need."""
    if not (options.by_class and isinstance(source, SampledImages)):
        return source
    own_labels = default_labels(0, source.n, source.classes)
    return replace(source, request=replace(source.request, own_labels=own_labels))
