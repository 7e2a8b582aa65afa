"""Export networks that enlarge images to verified ONNX files of the task "upscale"."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gan_runtime.errors import InputError
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.recorded import record
from gan_runtime.manifest import CHANNEL_ORDERS, ImageAxes, ImageSize, UpscaleManifest
from gan_runtime.model_file import ModelFile
from gan_trainer.data.pixels import WHITE, from_pixels, to_levels
from gan_trainer.export.image_to_image import Kind, for_any_size, image_to_image_file
from gan_trainer.export.network import frozen_copy
from gan_trainer.export.onnx_file import check_opset
from gan_trainer.training.determinism import settle_math_library

KIND = Kind("values in [0, 1]", WHITE, from_pixels, to_levels, 32, ((1, 1), (1, 9), (33, 31), (36, 52)))


def upscaler_file(
    module: nn.Module,
    path: Path,
    *,
    channels: int,
    scale: int,
    examples: NDArray[np.uint8] | None = None,
    opset: int = 17,
    name: str | None = None,
    training: dict[str, Any] | None = None,
    quality: list[dict[str, Any]] | None = None,
    pictures: PictureOptions | None = None,
) -> ModelFile:
    """A verified file of `module` for `gan_runtime.Upscaler`, which is not written yet.

    It takes images of any size from 1x1 up, padded and cropped in the graph where the network needs it. Values outside
    of [0, 1] are clipped.

    Args:
        module: images float [n, c, h, w] in [0, 1] -> float [n, c, scale h, scale w], 0 for black and 1 for white. Its
            attributes `multiple` (h and w have to be multiples of it) and `least` (the smallest h and w) are 1 if they
            are missing; its attribute `norm` is recorded.
        path: where the file will be written, for messages.
        channels: of the images: 3 for RGB, 1 for grey.
        scale: the factor of height and width.
        examples: real inputs for the comparison with torch, uint8 [n, h, w, c].
        opset: the version of the ONNX operator set of the file, 13 to 20.
        name: the name of the model in its manifest; the stem of `path` if None.
        training, quality: any JSON object, and any JSON objects, for the manifest.
        pictures: how pictures became the training images.

    Raises:
        ExportError: torch cannot express the network at this opset, its results have another size, or the file gives
            other images.
        InputError: the opset or an argument is out of range.
    """
    check_opset(opset)
    if channels not in CHANNEL_ORDERS:
        raise InputError(f"channels {channels}: an upscaler takes 3 channels, RGB, or 1, grey")
    settle_math_library()
    network = frozen_copy(module)
    if not hasattr(network, "multiple"):
        network.multiple = 1  # type: ignore[assignment]
    deployed, tiling = for_any_size(network, channels, scale)
    any_size = ImageAxes(None, None, channels)
    manifest = UpscaleManifest(
        name=name or path.stem,
        source=any_size,
        output=any_size,
        network=tiling,
        scale=scale,
        channel_order=CHANNEL_ORDERS[channels],
        training=training or {},
        quality=quality or [],
        pictures=record(pictures),
    )
    size = ImageSize(KIND.side, KIND.side, channels)
    return image_to_image_file(
        deployed, manifest, path, kind=KIND, opset=opset, size=size, scale=scale, examples=examples
    )
