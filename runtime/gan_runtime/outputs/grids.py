"""One picture of all images."""

from dataclasses import replace
from typing import BinaryIO

import numpy as np

from gan_runtime.draw import Draw
from gan_runtime.errors import InputError
from gan_runtime.images import arrange, check_grid, write_png
from gan_runtime.latents import default_labels
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.work import batches


def write_grid(file: BinaryIO, draw: Draw, options: Options) -> None:
    """All images in one PNG, row by row; as many columns as make it about square unless the options say more."""
    layout = options.layout(draw.generator.classes)
    check_grid(draw.shape, layout)
    with batches(labelled(draw, options), quiet=options.quiet) as images:
        picture = arrange(np.concatenate(list(images)), layout)
    write_png(file, picture)


def labelled(draw: Draw, options: Options) -> Draw:
    """`draw` with the labels that the columns of a picture by class need.

    Raises:
        InputError: the generator has no classes, or the labels are given already.
    """
    if not options.by_class:
        return draw
    classes = draw.generator.classes
    if not classes:
        raise InputError(f"--by-class: {draw.generator.model.path} is unconditional and has no classes; leave it out")
    if draw.own_labels is not None:
        raise InputError("--by-class: shows every class, and takes no label; leave one of the two out")
    return replace(draw, own_labels=default_labels(0, draw.n, classes))
