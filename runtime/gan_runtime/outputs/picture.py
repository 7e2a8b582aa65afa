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
    """Write all images to one PNG, row by row; by default, the grid is about square."""
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
    """Raise InputError if a grid by class is requested and `source` does not support it."""
    if not options.by_class:
        return
    if not isinstance(source, SampledImages):
        raise InputError("--by-class: it needs a generator, and these images exist already; leave it out")
    classes, request = source.classes, source.request
    if source.is_given:
        raise InputError("--by-class: cannot be combined with --latents; leave one of them out")
    if not classes:
        raise InputError(f"--by-class: {source.path} is unconditional; leave it out")
    if request.own_labels is not None:
        raise InputError("--by-class: cannot be combined with --label; leave one of them out")
    if options.columns not in (None, classes):
        raise InputError(f"--columns {options.columns}: --by-class has one column per class, {classes}; leave it out")


def labelled(source: S, options: Options) -> S:
    """`source` with the labels for a grid with one column per class."""
    if not (options.by_class and isinstance(source, SampledImages)):
        return source
    own_labels = default_labels(0, source.n, source.classes)
    return replace(source, request=replace(source.request, own_labels=own_labels))
