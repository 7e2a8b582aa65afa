"""Network -> one verified ONNX file. Each promise of the file is checked on its bytes before they reach their place."""

import json
from copy import deepcopy
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from gan_runtime.datasets import PictureOptions
from gan_runtime.errors import InputError
from gan_runtime.files import atomic_write, check_writable
from gan_runtime.generator import Generator
from gan_runtime.latents import default_labels, draw_latents
from gan_runtime.manifest import (
    FINGERPRINT_PIXELS,
    Fingerprint,
    ImageSize,
    Labels,
    Latents,
    Manifest,
    spread,
)
from gan_runtime.model_file import ModelFile, parse_model
from gan_runtime.recorded_pictures import record
from gan_runtime.roles import TASK
from gan_runtime.session import open_session
from gan_trainer.determinism import settle_math_library
from gan_trainer.onnx_file import (
    OPSETS,
    ExportError,
    compare,
    finish,
    first_line,
    fold_batch_norm,
    frozen_copy,
    to_onnx,
)
from gan_trainer.pixels import GREY, denormalise, to_pixels

SUFFIX = ".onnx"
PARITY_BATCHES = (1, 3, 64)  # none of them the batch of the trace
FLOAT_TOLERANCE = 1e-4  # of values in [-1, 1]
PIXEL_TOLERANCE = 1  # grey level: rounding may fall to either side
FINGERPRINT_SEED, FINGERPRINT_IMAGES = 0, 16


class Deployed(nn.Module):
    """The network as it is deployed: latents (and labels) -> uint8 [n, h, w, c]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()  # else the exporter, which restores the mode it found, would put `network` into training

    def forward(self, *inputs: Tensor) -> Tensor:
        """Denormalise, round, clip and transpose."""
        return to_pixels(denormalise(self.network(*inputs)))


def export(
    module: nn.Module,
    path: str | Path,
    *,
    latent_dim: int,
    opset: int = 17,
    classes: int = 0,
    class_names: tuple[str, ...] = (),
    name: str | None = None,
    distribution: str = "normal",
    training: dict[str, Any] | None = None,
    pictures: PictureOptions | None = None,
    quality: list[dict[str, Any]] | None = None,
) -> ModelFile:
    """Write `module` as one self-describing ONNX file that draws what `module.eval()` draws.

    Args:
        module: latents float [n, latent_dim] (and labels int64 [n] if `classes`) -> images float [n, 1 or 3, h, w] in
            [-1, 1]. It is neither changed nor moved.
        path: the file to create or replace.
        latent_dim: values per latent.
        opset: version of the ONNX operator set, exactly; the IR version is the least one for it.
        classes: how many classes the labels have; 0 for an unconditional generator.
        class_names: what they are called; "0", "1", … if empty.
        name: of the model, for people; the file's stem if None.
        distribution: of the latents, "normal" N(0, 1) or "uniform" U(-1, 1).
        training: where the model comes from, any JSON object: goes into the manifest.
        pictures: how pictures became the images that it was trained on; commands that are given pictures do the same.
        quality: what was measured of it, any JSON objects: goes there, too.

    Returns:
        The file as written.

    Raises:
        ExportError: torch cannot express the network at this opset, or the file would draw other images than `module`.
        InputError: an argument is out of range.
        OutputError: `path` cannot be written. An older file there stays as it was, whatever goes wrong.
    """
    path = Path(path)
    check_writable(path)
    file = generator_file(
        module,
        path,
        latent_dim=latent_dim,
        opset=opset,
        classes=classes,
        class_names=class_names,
        name=name,
        distribution=distribution,
        training=training,
        pictures=pictures,
        quality=quality,
    )
    with atomic_write(path) as target:
        target.write(file.content)
    return file


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
    training: dict[str, Any] | None = None,
    pictures: PictureOptions | None = None,
    quality: list[dict[str, Any]] | None = None,
) -> ModelFile:
    """As `export`, but nothing is written yet."""
    check_request(path, opset, latent_dim, classes, class_names, name or path.stem, (training, quality))
    settle_math_library()
    reference = frozen_copy(module)
    size = _image_size(reference, latent_dim, classes, distribution)
    labels = Labels(classes, class_names or tuple(map(str, range(classes)))) if classes else None
    latents = Latents(latent_dim, distribution)
    manifest = Manifest(
        name or path.stem, TASK, latents, labels, size, training or {}, quality or [], pictures=record(pictures)
    )
    deployed = Deployed(fold_batch_norm(deepcopy(reference)))
    model = to_onnx(deployed, named_inputs(generator_inputs(2, latent_dim, classes, distribution)), ["images"], opset)
    shapes = {"images": astuple(size)}
    file = finish(model, manifest, shapes, opset, path)
    _check_parity(file, model, reference, manifest)
    images = Generator.open(file, "cpu").sample(FINGERPRINT_IMAGES, FINGERPRINT_SEED)
    pixels = spread(images, FINGERPRINT_PIXELS).tobytes()
    fingerprint = Fingerprint(FINGERPRINT_SEED, FINGERPRINT_IMAGES, pixels)
    return finish(model, replace(manifest, fingerprint=fingerprint), shapes, opset, path)


def check_request(
    path: Path,
    opset: int,
    latent_dim: int,
    classes: int,
    class_names: tuple[str, ...],
    name: str,
    about: tuple[Any, ...],
) -> None:
    """Raise InputError where an argument of `export` is out of range."""
    if path.suffix.lower() != SUFFIX:
        raise InputError(f"{path}: an exported file ends in {SUFFIX}")
    if opset not in OPSETS:
        raise InputError(f"opset {opset}: choose one from {OPSETS[0]} to {OPSETS[-1]}")
    if latent_dim < 1 or classes < 0 or len(class_names) not in (0, classes):
        raise InputError(
            f"latent_dim {latent_dim}, classes {classes}, {len(class_names)} class names: latent_dim must be positive, "
            "and there is a name for each class, or none"
        )
    try:
        json.dumps([about, class_names, name], ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"training, quality and names must be what JSON can hold: {error}") from None


def _image_size(network: nn.Module, latent_dim: int, classes: int, distribution: str) -> ImageSize:
    """What `network` draws, once it is clear that it can be deployed at all."""
    inputs = generator_inputs(PARITY_BATCHES[-1], latent_dim, classes, distribution)
    with torch.no_grad():
        try:
            images, again = network(*inputs), network(*inputs)
        except Exception as error:  # somebody else's code
            given = f"{'latents and labels' if classes else 'latents'} {[list(x.shape) for x in inputs]}"
            raise ExportError(f"the network does not take {given}: {first_line(error)}") from error
    if (
        not isinstance(images, Tensor)
        or images.ndim != 4
        or images.shape[1] not in (1, 3)
        or len(images) != len(inputs[0])
    ):
        found = list(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise ExportError(f"the network gives {found}, not images [n, 1 or 3, h, w]")
    if not bool(torch.isfinite(images).all()):
        raise ExportError("the network gives values that are not finite")
    if not torch.equal(images, again):
        raise ExportError("the network draws other images for the same latents: make all that is random an input")
    peak = images.abs().max().item()
    if peak > 1.0 + FLOAT_TOLERANCE:
        raise ExportError(f"the network's values reach {peak:.4g}, outside of [-1, 1]: end it with tanh")
    return ImageSize(images.shape[2], images.shape[3], images.shape[1])


def _check_parity(file: ModelFile, model: onnx.ModelProto, network: nn.Module, manifest: Manifest) -> None:
    """The file must draw what the network draws: in floats before the last rounding, and in grey levels after it."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    grey = _before_rounding(model.graph)
    probe.graph.output.append(onnx.helper.make_tensor_value_info(grey, onnx.TensorProto.FLOAT, None))
    floats = open_session(parse_model(probe.SerializeToString(), file.path), "cpu").onnx
    pixels = open_session(file, "cpu").onnx
    assert manifest.latents
    classes = manifest.labels.classes if manifest.labels else 0
    names = [port.name for port in file.inputs]
    if len(names) != 1 + bool(classes):
        raise ExportError(f"the network does not use all of its inputs: {names} are left in the graph")
    for n in PARITY_BATCHES:
        inputs = generator_inputs(n, manifest.latents.dim, classes, manifest.latents.distribution)
        feeds = {name: x.numpy() for name, x in named_inputs(inputs).items()}
        with torch.no_grad():
            expected = denormalise(network(*inputs))
        (values,), (found,) = floats.run([grey], feeds), pixels.run(["images"], feeds)
        compare(n, values / GREY, expected.numpy() / GREY, FLOAT_TOLERANCE, "values in [-1, 1]")
        compare(n, found.astype(np.int16), to_pixels(expected).short().numpy(), PIXEL_TOLERANCE, "grey levels")


def _before_rounding(graph: onnx.GraphProto) -> str:
    """Name of the grey values that the last Round of the graph rounds."""
    producers = {output: node for node in graph.node for output in node.output}
    node = producers["images"]
    while node.op_type != "Round":
        node = producers[node.input[0]]
    return str(node.input[0])


def generator_inputs(n: int, latent_dim: int, classes: int, distribution: str) -> tuple[Tensor, ...]:
    """Latents (and labels, if there are classes) of the first n images of seed 0."""
    latents = torch.from_numpy(draw_latents(0, 0, n, latent_dim, distribution))
    return (latents, torch.from_numpy(default_labels(0, n, classes))) if classes else (latents,)


def named_inputs(inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The same by the names that they have in a file."""
    return dict(zip(("latents", "labels"), inputs, strict=False))
