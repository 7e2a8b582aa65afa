"""A picture through a model in bands of rows, whatever channels the two have."""

from collections.abc import Callable, Iterator

import numpy as np

from gan_runtime.images.bands import Banded
from gan_runtime.images.whole import Picture
from gan_runtime.tiling import Pixels
from gan_runtime.transform.model import PictureModel

REACH = 3  # pixels of the input that the bicubic filter sees on each side, and one more
RunBands = Callable[[Pixels], Iterator[Pixels]]
"""A model as a function from a picture, uint8 [h, w, c], to bands of its result, from the top."""


def through(model: PictureModel, picture: Picture, run: RunBands, run_alpha: RunBands | None = None) -> Banded:
    """The result for a picture, its alpha as the last channel.

    A grey picture gives a grey result by a model that takes colours: it is run as a colour picture, and the result is
    converted back. Of a colour picture, a model that takes grey ones gets the luma (ITU-R 601), and the chroma is
    enlarged by bicubic interpolation.

    Args:
        model: gives as many channels as it takes, or takes those of the picture.
        picture: grey or colour.
        run: the model.
        run_alpha: the model as it is run on the alpha. None: the alpha is enlarged by bicubic interpolation.
    """
    takes, has = model.source.channels, picture.colours.shape[2]
    if takes == has:
        bands, channels = run(picture.colours), model.channels
    else:
        bands, channels = (_in_grey if has == 1 else _with_chroma)(picture.colours, model.scale, run), has
    if picture.alpha is not None:
        bands, channels = _with_alpha(bands, picture.alpha, model, run_alpha), channels + 1
    height, width = (side * model.scale for side in picture.size)
    return Banded(height, width, channels, bands)


def _in_grey(grey: Pixels, scale: int, run: RunBands) -> Iterator[Pixels]:
    for band in run(np.broadcast_to(grey, (*grey.shape[:2], 3))):
        yield Picture(band).in_grey().colours


def _with_chroma(colours: Pixels, scale: int, run: RunBands) -> Iterator[Pixels]:
    from PIL import Image  # noqa: PLC0415

    luma, *chroma = (np.asarray(plane) for plane in Image.fromarray(colours).convert("YCbCr").split())
    enlarged = [Enlarged(plane, scale) for plane in chroma]
    for band in run(luma[..., None]):
        planes = [band[..., 0], *(plane.rows(len(band)) for plane in enlarged)]
        merged = Image.merge("YCbCr", [Image.fromarray(plane) for plane in planes])
        yield np.asarray(merged.convert("RGB"))


def _with_alpha(bands: Iterator[Pixels], alpha: Pixels, model: PictureModel, run: RunBands | None) -> Iterator[Pixels]:
    if run is None:
        enlarged = Enlarged(alpha, model.scale)
        for band in bands:
            yield np.dstack([band, enlarged.rows(len(band))])
        return
    grey = alpha[..., None]
    opacity = run(grey) if model.source.channels == 1 else _in_grey(grey, model.scale, run)
    for band, part in zip(bands, opacity, strict=True):
        yield np.dstack([band, part])


class Enlarged:
    """One channel, enlarged by bicubic interpolation in parts; they are those of the whole."""

    def __init__(self, plane: Pixels, scale: int) -> None:
        from PIL import Image  # noqa: PLC0415

        self._plane, self._scale, self._top = plane, scale, 0
        self._image = Image.fromarray(plane)

    def rows(self, count: int) -> Pixels:
        """The next `count` rows, a multiple of the scale, uint8 [count, scale w]."""
        from PIL import Image  # noqa: PLC0415

        rows, width = count // self._scale, self._plane.shape[1]
        top, self._top = self._top, self._top + rows
        if self._scale == 1:
            return self._plane[top : self._top]
        first, last = max(0, top - REACH), min(len(self._plane), self._top + REACH)
        part = self._image.crop((0, first, width, last))  # resize with a box gives other values
        size = width * self._scale, (last - first) * self._scale
        found = np.asarray(part.resize(size, Image.Resampling.BICUBIC), np.uint8)
        above = (top - first) * self._scale
        return found[above : above + count]
