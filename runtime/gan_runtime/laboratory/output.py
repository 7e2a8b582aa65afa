"""Write a scatter plot of generated points as PNG."""

from typing import BinaryIO

from gan_runtime.errors import InputError
from gan_runtime.images.grids import write_png
from gan_runtime.laboratory.points import POINTS
from gan_runtime.laboratory.scatter import scatter
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.picture import whole
from gan_runtime.outputs.pipeline import batches
from gan_runtime.outputs.sampled import SampledImages


def write_scatter(file: BinaryIO, source: SampledImages, options: Options) -> None:
    """The points of `source`, with the modes of what they were trained on, if the file says that.

    Raises:
        InputError: they do not lie in a plane.
    """
    assert source.points
    if source.points.coordinates != 2:
        raise InputError(f"{source.path}: draws points of {source.points.coordinates} coordinates; write .npy")
    with batches(source, quiet=options.quiet) as drawn:
        points = whole(source, drawn)
    write_png(file, scatter(points, source.points.extent, POINTS.get(str(source.generator.trained_on))))
