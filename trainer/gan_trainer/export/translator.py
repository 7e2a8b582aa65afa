"""Export networks that translate images to verified ONNX files of the task "translate"."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_runtime.images.options import PictureOptions
from gan_runtime.images.recorded import record
from gan_runtime.manifest import Counterpart, ImageAxes, ImageSize, Tiling, TranslateManifest
from gan_runtime.model_file import ModelFile
from gan_runtime.models import inverse_path
from gan_trainer.data.pixels import GREY, denormalise, normalise
from gan_trainer.export.image_to_image import Kind, for_any_size, image_to_image_file
from gan_trainer.export.network import frozen_copy
from gan_trainer.export.onnx_file import ExportError, check_opset
from gan_trainer.training.determinism import settle_math_library

SLACK = 1e-4  # how far values may be outside of [-1, 1]
KIND = Kind("values in [-1, 1]", GREY, normalise, denormalise, 64, ((1, 1), (2, 7), (67, 65), (200, 300)))


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
    check_opset(opset)
    settle_math_library()
    network, tiling = for_any_size(frozen_copy(module), source.channels)
    manifest = TranslateManifest(
        name=name or path.stem,
        source=_axes(source, tiling),
        output=_axes(images, tiling),
        network=tiling,
        prepared=prepared,
        counterpart=counterpart,
        training=training or {},
        quality=quality or [],
        pictures=record(pictures),
    )
    return image_to_image_file(
        network, manifest, path, kind=KIND, opset=opset, size=source, examples=examples, check=_check_range
    )


def translator_pair(
    networks: Mapping[str, nn.Module],
    path: Path,
    *,
    source: ImageSize,
    images: ImageSize,
    examples: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None,
    of_inverse: Mapping[str, Any] | None = None,
    **about: Any,
) -> dict[str, ModelFile]:
    """The verified files of both directions, which name each other: "generator" at `path`, "inverse" beside it.

    Args:
        networks: "generator", from the images of `source` to those of `images`, and "inverse", the other way round.
        path: where the file of the generator will be written; the other one at `gan_runtime.models.inverse_path`.
        source, images: the sizes of images in training.
        examples: real images of both domains.
        of_inverse: arguments of `about` that differ for the inverse, such as `training`.
        about: as for `translator_file`; `name` is given the suffix "-inverse" for the inverse.
    """
    inverse, weights = inverse_path(path), _digest(networks)
    name, prepared = about.pop("name", None) or path.stem, about.pop("prepared", "")
    there, back = examples or (None, None)
    return {
        "generator": translator_file(
            networks["generator"],
            path,
            source=source,
            images=images,
            examples=there,
            prepared=prepared,
            counterpart=Counterpart(inverse.name, weights),
            name=name,
            **about,
        ),
        "inverse": translator_file(
            networks["inverse"],
            inverse,
            source=images,
            images=source,
            examples=back,
            counterpart=Counterpart(path.name, weights),
            name=f"{name}-inverse",
            **about | dict(of_inverse or {}),
        ),
    }


def _digest(networks: Mapping[str, nn.Module]) -> str:
    """SHA-256 of the weights of both networks."""
    digest = hashlib.sha256()
    for name in ("generator", "inverse"):
        for key, value in networks[name].state_dict().items():
            digest.update(f"{name}.{key} {value.dtype} {list(value.shape)} ".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _axes(size: ImageSize, tiling: Tiling | None) -> ImageAxes:
    """The axes of a file: any height and width for a network that takes any size."""
    return ImageAxes(None, None, size.channels) if tiling else ImageAxes(*size.shape)


def _check_range(values: Tensor) -> None:
    """Raise ExportError if values are outside of [-1, 1]."""
    largest = float(values.abs().max())
    if largest > 1 + SLACK:
        raise ExportError(f"the network's values reach {largest:.4g}, outside of [-1, 1]: end it with tanh")
