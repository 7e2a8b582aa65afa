"""Write a scatter plot of generated points as PNG."""

from typing import BinaryIO

import numpy as np

from gan_runtime.errors import InputError
from gan_runtime.images.grids import write_png
from gan_runtime.laboratory.points import POINTS
from gan_runtime.laboratory.scatter import scatter
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.pipeline import batches
from gan_runtime.request import Draw


def write_scatter(file: BinaryIO, draw: Draw, options: Options) -> None:
    """The points of `draw`, with the modes of what they were trained on, if the file says that.

    Raises:
        InputError: they do not lie in a plane.
    """
    generator = draw.generator
    assert generator.points
    if generator.points.coordinates != 2:
        raise InputError(
            f"{generator.model.path}: draws points of {generator.points.coordinates} coordinates; write .npy"
        )
    with batches(draw, quiet=options.quiet) as drawn:
        points = np.concatenate(list(drawn))
    trained = generator.manifest.training.get("data") if generator.manifest else None
    write_png(file, scatter(points, generator.points.extent, POINTS.get(str(trained))))
