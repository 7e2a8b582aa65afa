"""A picture of mixed styles (Karras et al. 2019, section 3.1)."""

from dataclasses import replace
from typing import BinaryIO

import numpy as np

from gan_runtime.errors import InputError
from gan_runtime.images.grids import Layout, arrange, check_grid, write_png
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.picture import whole
from gan_runtime.outputs.pipeline import batches
from gan_runtime.outputs.sampled import SampledImages, styles_of
from gan_runtime.outputs.source import Source

COARSE = 4  # layers


def write_mix(file: BinaryIO, source: Source, options: Options) -> None:
    """One PNG of rows x columns images and the ones that they are mixed of, in the first column and the first row.

    An image has the coarse styles, those of the first layers, of the image at the beginning of its row, and the other
    styles, from the next layer on, of the one at the top of its column. `source` has the images of the rows, then those
    of the columns.

    Raises:
        InputError: there are more or fewer images than rows and columns, the picture would be too large, there are
            fewer layers than `coarse`, or the generator has no styles.
        ModelError: it has no part that draws styles.
    """
    assert options.mix
    if not isinstance(source, SampledImages):
        raise InputError("--mix: it needs a generator, and these images exist already; leave it out")
    (rows, columns), shape = options.mix, source.shape[1:]
    if source.n != rows + columns:
        raise InputError(
            f"--mix {rows}x{columns}: is mixed of {rows} + {columns} images, and there are {source.n} latents"
        )
    layout = Layout(rows + 1, columns + 1, options.padding, options.scale)
    check_grid(((rows + 1) * (columns + 1), *shape), layout)
    mixed = _mixed(source, sources_of(rows, columns), options.coarse)
    with batches(mixed, quiet=options.quiet) as images:
        cells = np.concatenate([np.zeros((1, *shape), np.uint8), whole(mixed, images)])
    write_png(file, arrange(cells, layout))


def sources_of(rows: int, columns: int) -> list[tuple[int, int]]:
    """Of each cell but that in the corner: the image of its coarse styles, and that of the others."""
    top = range(rows, rows + columns)
    return [(image, image) for image in top] + [(row, image) for row in range(rows) for image in (row, *top)]


def _mixed(source: SampledImages, sources: list[tuple[int, int]], coarse: int | None) -> SampledImages:
    """Images of mixed styles. Their noise is that of the image of their coarse styles."""
    request = source.request
    styles = request.own_styles
    if styles is None:
        styles = styles_of(source, request.latents(0, source.n)[None])[0]
    first, last = map(list, zip(*sources, strict=True))
    coarse = coarse_layers(styles.shape[1], coarse)
    mixed = np.concatenate([styles[first, :coarse], styles[last, coarse:]], 1)
    noise_of = None if request.noise_of is None else [request.noise_of[image] for image in first]
    return replace(source, request=replace(request, n=len(mixed), own_styles=mixed, noise_of=noise_of))


def coarse_layers(layers: int, wanted: int | None) -> int:
    """How many of the first layers are coarse: `wanted`, checked, or `COARSE` of them, at most half.

    The styles of the first four are those of the grids of 4x4 and 8x8 and the step to 16x16.
    """
    if wanted is None:
        return max(1, min(COARSE, layers // 2))
    if not 1 <= wanted < layers:
        raise InputError(f"--coarse {wanted}: the generator has {layers} layers; give 1 to {layers - 1}")
    return wanted
