"""Export a generator of images to one ONNX file, which is verified before it is written."""

import json
import math
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.evaluation.fingerprint import PIXELS, difference, first_levels, spread
from gan_runtime.generator import Generator
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.recorded import record
from gan_runtime.manifest import Fingerprint, GenerateManifest, ImageSize, Labels, Latents, PointsManifest
from gan_runtime.model_file import ModelFile
from gan_trainer.data.pixels import GREY, to_pixels
from gan_trainer.export.inputs import adapted, generator_rows, named_tensors, other_blocks, usual_blocks
from gan_trainer.export.network import frozen_copy, plain_copy
from gan_trainer.export.onnx_file import EXAMPLE_ROWS, OPSETS, ExportError, check_opset, finish, to_onnx
from gan_trainer.export.parity import Output, batch_rows, check_parity, network_rows
from gan_trainer.export.probe import values_and_pixels
from gan_trainer.export.range import ValueRange
from gan_trainer.export.write import written
from gan_trainer.networks.stylegan2 import StyleGenerator
from gan_trainer.training.determinism import settle_math_library

__all__ = ["OPSETS", "Deployed", "ExportError", "export", "generator_file"]

SUFFIX = ".onnx"
FLOAT_TOLERANCE = 1e-4  # of values in [-1, 1]
PIXEL_TOLERANCE = 1  # grey level, from rounding
COMPARED = Output("values in [-1, 1]", FLOAT_TOLERANCE), Output("grey levels", PIXEL_TOLERANCE)
AS_LEVELS = Output(COMPARED[0].unit, PIXEL_TOLERANCE / GREY), COMPARED[1]
"""`COMPARED` for a network that rounds to grey levels itself: its floats, too, may differ by one grey level."""
FINGERPRINT_SEED, FINGERPRINT_IMAGES = 0, 16


class Deployed(nn.Module):
    """A generator as it is deployed: latents, and labels if it is conditional, to images uint8 [n, h, w, c]."""

    def __init__(self, network: nn.Module, black: float = -1.0, white: float = 1.0) -> None:
        super().__init__()
        self.network = network
        self.scale = 255.0 / (white - black)
        self.offset = -black * self.scale
        self.eval()  # the exporter restores the mode of this module, and would set `network` to training mode

    def forward(self, *inputs: Tensor) -> Tensor:
        """The images: grey levels, rounded, clipped and transposed to channels last."""
        return to_pixels(self.grey(self.network(*inputs)))

    def grey(self, values: Tensor) -> Tensor:
        """The network's values as float grey levels: black is 0 and white is 255."""
        return values.float() * self.scale + self.offset


def generator_file(
    module: nn.Module,
    path: Path,
    *,
    latent_dim: int,
    opset: int = 17,
    classes: int = 0,
    class_names: tuple[str, ...] = (),
    name: str | None = None,
    distribution: str = "normal",
    range: tuple[float, float] | None = None,
    clip: bool = False,
    training: dict[str, Any] | None = None,
    pictures: PictureOptions | None = None,
    quality: list[dict[str, Any]] | None = None,
) -> ModelFile:
    """`module` as one self-describing ONNX file that generates the images of `module.eval()`. `export` writes it.

    Args:
        module: latents float [n, latent_dim] or [n, latent_dim, 1, 1] (and labels int64 [n] or one-hot float
            [n, classes] or [n, classes, 1, 1], if `classes` > 0) -> images float [n, 1 or 3, h, w]. No image may depend
            on the others in its batch. The module is neither changed nor moved. The file always takes latents
            [n, latent_dim] and labels int64 [n].
        path: the file that `export` creates or replaces.
        latent_dim: values per latent.
        opset: the version of the ONNX operator set of the file, 13 to 20. The IR version is the lowest for this opset.
        classes: the number of classes; 0 for an unconditional generator.
        class_names: the names of the classes; "0", "1", … if empty.
        name: the name of the model in its manifest; the stem of `path` if None.
        distribution: the distribution of the latents, "normal" for N(0, 1) or "uniform" for U(-1, 1).
        range: the values of black and white in the network's output: (-1, 1) after tanh, (0, 1) after a sigmoid, or
            (0, 255). None assumes (-1, 1), and refuses a network whose values look as if they had another range.
        clip: clip values outside of the range. Otherwise a network with such values is refused.
        training: any JSON object for the manifest: where the model comes from.
        pictures: how pictures became the training images; commands decode pictures in the same way.
        quality: any JSON objects for the manifest: what was measured of the model.

    Returns:
        The file, verified.

    Raises:
        ExportError: torch cannot express the network at this opset, its values are outside of the range, it draws
            random numbers, its images depend on each other, or the file generates other images than `module`.
        InputError: an argument is out of range, or `module` is a generator with styles.
        OutputError: `export` cannot write `path`. After any error an older file at `path` is unchanged.
    """
    if isinstance(module, StyleGenerator):  # its truncation, styles and noise would be lost
        raise InputError("module: a StyleGenerator; export it with gan_trainer.export.export_styled")
    check_request(path, opset, latent_dim, classes, class_names, name or path.stem, (training, quality))
    latents = Latents(latent_dim, distribution)
    labels = labels_of(classes, class_names)
    values = ValueRange(range, clip)
    settle_math_library()
    network, images = adapted(frozen_copy(module), latents, classes, batch_rows(()))
    images = _checked(images)
    size = ImageSize(images.shape[2], images.shape[3], images.shape[1])
    values.look_at(images)
    manifest = GenerateManifest(
        name=name or path.stem,
        latents=latents,
        labels=labels,
        output=size,
        training=training or {},
        quality=quality or [],
        pictures=record(pictures),
    )
    examples = generator_rows(0, EXAMPLE_ROWS, latents, classes)
    plain = plain_copy(network, examples)
    reference, deployed = (Deployed(part, *values.ends) for part in (network, plain))
    model = to_onnx(deployed, named_tensors(examples), ["images"], opset)
    shapes = {"images": astuple(size)}
    file = finish(model, manifest, shapes, opset, path)
    _check_images(file, model, reference, manifest, values, images)
    draw = network_rows(network, lambda images: [to_pixels(reference.grey(images))])
    (pixels,) = draw(generator_rows(0, FINGERPRINT_IMAGES, latents, classes))
    return fingerprinted(file, model, manifest, shapes, pixels)


export = written("export", generator_file)


def labels_of(classes: int, class_names: tuple[str, ...]) -> Labels | None:
    """The labels of a generator: named "0", "1", … if no names are given. None if it is unconditional."""
    return Labels(classes, tuple(class_names or map(str, np.arange(classes)))) if classes else None


def check_request(
    path: Path,
    opset: int,
    latent_dim: int,
    classes: int,
    class_names: tuple[str, ...],
    name: str,
    about: tuple[Any, ...],
) -> None:
    """Raise InputError if an argument of `export` is out of range."""
    if path.suffix.lower() != SUFFIX:
        raise InputError(f"{path}: an exported file ends in {SUFFIX}")
    if any(type(number) is not int for number in (opset, latent_dim, classes)):
        raise InputError(f"opset {opset!r}, latent_dim {latent_dim!r}, classes {classes!r}: must be integers")
    check_opset(opset)
    if latent_dim < 1 or classes < 0 or len(class_names) not in (0, classes):
        raise InputError(
            f"latent_dim {latent_dim}, classes {classes}, {len(class_names)} class names: latent_dim must be positive, "
            "and there is a name for each class, or none"
        )
    try:
        json.dumps([about, class_names, name], ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"training, quality and names must be what JSON can hold: {error}") from None


def _checked(images: object) -> Tensor:
    """The output of a network. Raises ExportError if it is not images float [n, 1 or 3, h, w], all finite."""
    if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] not in (1, 3):
        found = list(images.shape) if isinstance(images, Tensor) else f"a {type(images).__name__}"
        raise ExportError(f"the network gives {found}, not images [n, 1 or 3, h, w]: wrap it in a module that does")
    if len(images) != batch_rows(()):
        raise ExportError(f"the network gives {len(images)} images for {batch_rows(())} latents")
    if not bool(torch.isfinite(images).all()):
        raise ExportError("the network gives values that are not finite")
    return images


def _check_images(
    file: ModelFile,
    model: onnx.ModelProto,
    reference: Deployed,
    manifest: GenerateManifest,
    values: ValueRange,
    images: Tensor,
) -> None:
    """Compare the file with the network, in floats before the last rounding and in grey levels after it.

    `images` are some images of the network. Raises ExportError if the two differ.
    """

    def convert(images: Tensor) -> list[Tensor]:
        if images.ndim != 4:
            raise ExportError(
                f"the network gives {list(images.shape)} for a batch of another size: keep the first axis, without "
                "squeeze() of all axes"
            )
        return [reference.grey(images) / GREY, to_pixels(reference.grey(images))]

    def watched(images: Tensor) -> list[Tensor]:
        values.look_at(images)
        return convert(images)

    drawn = values_and_pixels(file, model)
    grey = reference.grey(images)
    compared = AS_LEVELS if torch.equal(grey, grey.round()) else COMPARED
    about = manifest.latents, manifest.labels.classes if manifest.labels else 0
    n = batch_rows(manifest.output.shape)
    usual = usual_blocks(*about, n, math.prod(manifest.output.shape))
    check_parity(network_rows(reference.network, watched), drawn, usual, compared)
    values.check_guess()
    check_parity(network_rows(reference.network, convert), drawn, other_blocks(*about, n), compared)


def fingerprinted(
    file: ModelFile,
    model: onnx.ModelProto,
    manifest: GenerateManifest | PointsManifest,
    shapes: dict[str, tuple[int, ...]],
    expected: NDArray[np.uint8],
) -> ModelFile:
    """`file`, made of `model` and `manifest`, with a fingerprint of its first images or points.

    `expected` are these images, or the levels of these points, as torch computes them.

    Raises:
        ExportError: the fingerprint does not agree with torch.
    """
    try:
        found = first_levels(Generator.open(file, "cpu"), len(expected), FINGERPRINT_SEED)
    except GanEdgeError as error:
        raise ExportError(f"the runtime cannot draw from the file: {error}") from error
    pixels = spread(found, PIXELS).tobytes()
    fingerprint = Fingerprint(FINGERPRINT_SEED, len(expected), pixels)
    file = finish(model, replace(manifest, fingerprint=fingerprint), shapes, file.opset, file.path)
    levels_off = difference(fingerprint, expected)
    if levels_off > PIXEL_TOLERANCE:
        raise ExportError(f"the fingerprint would differ from torch by {levels_off} grey levels")
    return file
