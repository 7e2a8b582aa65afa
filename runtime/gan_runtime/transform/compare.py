"""Pictures side by side."""

from collections.abc import Sequence

import numpy as np

from gan_runtime.errors import InputError
from gan_runtime.images.whole import Picture


def side_by_side(pictures: Sequence[Picture]) -> Picture:
    """Opaque pictures in a row, in colour if one of them is.

    The first one, the input, is enlarged to the size of the second one, the output (bicubic).

    Raises:
        InputError: the third one, the truth, has another size.
    """
    source, output, *truth = pictures
    for picture in truth:
        if picture.size != output.size:
            (height, width), (made_height, made_width) = picture.size, output.size
            raise InputError(f"its truth has {width} x {height} pixels, the output {made_width} x {made_height}")
    parts = [_resized(source, output.size), output, *truth]
    if any(part.colours.shape[2] == 3 for part in parts):
        parts = [part.in_colour() for part in parts]
    return Picture(np.concatenate([part.colours for part in parts], axis=1))


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    if picture.size == size:
        return picture
    from PIL import Image  # noqa: PLC0415

    height, width = size
    channels = [
        np.asarray(Image.fromarray(channel).resize((width, height), Image.Resampling.BICUBIC), np.uint8)
        for channel in np.moveaxis(picture.colours, 2, 0)
    ]
    return Picture(np.stack(channels, axis=2))
