"""Export networks that translate images to verified ONNX files of the task "translate"."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gan_runtime.images.options import PictureOptions
from gan_runtime.manifest import Counterpart, ImageSize
from gan_runtime.model_file import ModelFile
from gan_trainer.export.onnx_file import ExportError


def translator_file(
    module: nn.Module,
    path: Path,
    *,
    source: ImageSize,
    images: ImageSize,
    examples: NDArray[np.uint8] | None = None,
    prepared: str = "",
    counterpart: Counterpart | None = None,
    opset: int = 17,
    name: str | None = None,
    training: dict[str, Any] | None = None,
    quality: list[dict[str, Any]] | None = None,
    pictures: PictureOptions | None = None,
) -> ModelFile:
    """A verified file of `module` for `gan_runtime.Translator`, which is not written yet.

    Args:
        module: images float [n, c, h, w] in [-1, 1] -> float [n, c', h, w] in [-1, 1]. If it has the attributes
            `multiple` (height and width have to be multiples of it) and `least` (the smallest height and width), the
            file takes images of any size from 1x1 up, padded and cropped in the graph; otherwise those of the size of
            `source` alone. Its attribute `norm` is recorded.
        path: where the file will be written, for messages.
        source, images: the sizes of images in training, of the input and the output domain.
        examples: real inputs for the comparison with torch, uint8 [n, h, w, c].
        prepared: how the inputs were made from pictures, such as "sketch"; "" if they were not.
        counterpart: the file of the opposite direction, if there is one; `translator_pair` knows it.
        opset: the version of the ONNX operator set of the file, 13 to 20.
        name: the name of the model in its manifest; the stem of `path` if None.
        training: any JSON object for the manifest.
        quality: any JSON objects for the manifest.
        pictures: how pictures became the training images.

    Raises:
        ExportError: torch cannot express the network at this opset, its values are outside of [-1, 1], or the file
            gives other images.
        InputError: the opset is out of range.
    """
    raise ExportError(f"{path}: the export of translators is not there yet")


def translator_pair(
    networks: Mapping[str, nn.Module],
    path: Path,
    *,
    source: ImageSize,
    images: ImageSize,
    examples: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None,
    **about: Any,
) -> dict[str, ModelFile]:
    """The verified files of both directions, which name each other: "generator" at `path`, "inverse" beside it.

    Args:
        networks: "generator", from the images of `source` to those of `images`, and "inverse", the other way round.
        path: where the file of the generator will be written; the other one at `gan_runtime.models.inverse_path`.
        source, images: the sizes of images in training.
        examples: real images of both domains.
        about: as for `translator_file`; `name` is given the suffix "-inverse" for the inverse.
    """
    raise ExportError(f"{path}: the export of translators is not there yet")
