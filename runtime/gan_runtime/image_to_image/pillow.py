"""Images of Pillow in place of arrays."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gan_runtime.errors import DataError, InputError
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.images.recorded import recorded
from gan_runtime.images.whole import Picture, WholeDecoder, is_grey, resized_alpha
from gan_runtime.manifest import ImageToImageManifest
from gan_runtime.onnx_model import OnnxModel
from gan_runtime.tiling import Pixels

MODES = {channels: mode for mode, channels in CHANNELS.items()}


def is_pillow(image: Any) -> bool:
    """Whether `image` is one of Pillow's."""
    loaded = sys.modules.get("PIL.Image")  # which whoever made it has imported
    return loaded is not None and isinstance(image, loaded.Image)


def run_on_pillow(
    model: OnnxModel,
    manifest: ImageToImageManifest,
    image: Any,
    run: Callable[[Pixels], Pixels],
    *,
    keep_grey: bool = False,
) -> Any:
    """What `run` gives for an image of Pillow, as such.

    Args:
        model: the open file, for its way of decoding pictures.
        manifest: that of the file.
        image: is decoded as a file is: upright, in sRGB. Its current frame alone is used.
        run: from uint8 [h, w, c] to uint8 [scale h, scale w, c'].
        keep_grey: the result for a grey image is grey, too.

    Returns:
        An image in mode L, LA, RGB or RGBA. Its alpha is that of `image`, enlarged by bicubic interpolation.

    Raises:
        InputError: it cannot be decoded, or the file takes images of other than 1 or 3 channels.
    """
    mode = MODES.get(manifest.source.channels or 0)
    if mode is None:
        raise InputError(f"{model.model.path}: takes images of {manifest.source.channels} channels; give an array")
    options = replace(recorded(model.model, manifest) or PictureOptions(), mode=mode)
    try:
        picture = WholeDecoder(options).loaded(image)
    except DataError as error:
        raise InputError(f"picture: {error}") from None
    made = Picture(run(picture.filled(options.background).colours))
    if keep_grey and is_grey(image):
        made = made.in_grey()
    return replace(made, alpha=resized_alpha(picture.alpha, made.size)).to_pillow()
