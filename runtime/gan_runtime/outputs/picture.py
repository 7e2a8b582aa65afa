"""One picture of all images."""

from dataclasses import replace
from typing import BinaryIO

import numpy as np

from gan_runtime.errors import InputError
from gan_runtime.images.grids import arrange, check_grid, write_png
from gan_runtime.latents import default_labels
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.pipeline import batches
from gan_runtime.request import Draw


def write_grid(file: BinaryIO, draw: Draw, options: Options) -> None:
    """All images in one PNG, row by row; as many columns as make it about square unless the options say more."""
    check_by_class(draw, options)
    layout = options.layout(draw.classes)
    check_grid(draw.shape, layout)
    with batches(labelled(draw, options), quiet=options.quiet) as images:
        picture = arrange(np.concatenate(list(images)), layout)
    write_png(file, picture)


def check_by_class(draw: Draw, options: Options) -> None:
    """Raise InputError where a picture by class is asked for and `draw` does not allow it."""
    if not options.by_class:
        return
    classes = draw.classes
    if not classes:
        raise InputError(f"--by-class: {draw.generator.model.path} is unconditional and has no classes; leave it out")
    if draw.own_latents is not None:
        raise InputError("--by-class: draws its latents itself, and takes no --latents; leave one of the two out")
    if draw.own_labels is not None:
        raise InputError("--by-class: shows every class, and takes no label; leave one of the two out")
    if options.columns not in (None, classes):
        raise InputError(f"--columns {options.columns}: with --by-class there is one a class, {classes}; leave it out")


def labelled(draw: Draw, options: Options) -> Draw:
    """`draw` with the labels that the columns of a picture by class need."""
    if not options.by_class:
        return draw
    return replace(draw, own_labels=default_labels(0, draw.n, draw.classes))
