"""Network -> one verified ONNX file. Each promise of the file is checked on its bytes before they reach their place."""

import io
import json
import warnings
from copy import deepcopy
from dataclasses import astuple, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.nn.utils.parametrize import is_parametrized

from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.files import atomic_write, check_writable
from gan_runtime.generator import Generator
from gan_runtime.latents import default_labels, draw_latents
from gan_runtime.manifest import (
    FINGERPRINT_PIXELS,
    METADATA_KEY,
    Fingerprint,
    ImageSize,
    Labels,
    Latents,
    Manifest,
    spread,
)
from gan_runtime.model_file import ModelFile, parse_model
from gan_runtime.roles import TASK
from gan_runtime.session import open_session
from gan_runtime.streams import captured_output
from gan_trainer import __version__
from gan_trainer.determinism import settle_math_library
from gan_trainer.pixels import GREY, denormalise, to_pixels

OPSETS = range(13, 21)
SUFFIX = ".onnx"
PARITY_BATCHES = (1, 3, 64)  # none of them the batch of the trace
FLOAT_TOLERANCE = 1e-4  # of values in [-1, 1]
PIXEL_TOLERANCE = 1  # grey level: rounding may fall to either side
FINGERPRINT_SEED, FINGERPRINT_IMAGES = 0, 16


class ExportError(GanEdgeError):
    """The network cannot be exported as asked, or the file would not keep its promises."""


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

    Returns:
        The file as written.

    Raises:
        ExportError: torch cannot express the network at this opset, or the file would draw other images than `module`.
        InputError: an argument is out of range.
        OutputError: `path` cannot be written. An older file there stays as it was, whatever goes wrong.
    """
    path = Path(path)
    check_writable(path)
    _check_request(path, opset, latent_dim, classes, class_names, name or path.stem, training)
    settle_math_library()
    reference = _frozen_copy(module)
    size = _image_size(reference, latent_dim, classes, distribution)
    labels = Labels(classes, class_names or tuple(map(str, range(classes)))) if classes else None
    manifest = Manifest(name or path.stem, TASK, Latents(latent_dim, distribution), labels, size, training or {})
    deployed = Deployed(fold_batch_norm(deepcopy(reference)))
    model = to_onnx(deployed, _inputs(2, latent_dim, classes, distribution), opset)
    file = _finish(model, manifest, opset, path)
    _check_parity(file, model, reference, manifest)
    images = Generator.open(file, "cpu").sample(FINGERPRINT_IMAGES, FINGERPRINT_SEED)
    pixels = spread(images, FINGERPRINT_PIXELS).tobytes()
    fingerprint = Fingerprint(FINGERPRINT_SEED, FINGERPRINT_IMAGES, pixels)
    file = _finish(model, replace(manifest, fingerprint=fingerprint), opset, path)
    with atomic_write(path) as target:
        target.write(file.content)
    return file


def to_onnx(module: nn.Module, inputs: tuple[Tensor, ...], opset: int) -> onnx.ModelProto:
    """The one place that chooses torch's exporter.

    The TorchScript one honours every opset exactly; the default one speaks opset 18 and converts down, or says that it
    did. Its trace warnings and its deprecation notice are no news to users.
    """
    names = ["latents", "labels"][: len(inputs)]
    content = io.BytesIO()
    try:
        with warnings.catch_warnings(), captured_output():  # it prints whole graphs on stdout when it fails
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                inputs,
                content,  # type: ignore[arg-type]  # the TorchScript exporter writes to files, too
                input_names=names,
                output_names=["images"],
                dynamic_axes={name: {0: "n"} for name in [*names, "images"]},
                opset_version=opset,
                dynamo=False,
            )
    except Exception as error:  # whatever the tracer and every operator's symbolic raise
        raise ExportError(f"opset {opset}: torch cannot export the network: {_first_line(error)}") from error
    return onnx.load_from_string(content.getvalue())


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Merge each batch norm into the layer before it, in place; ONNX Runtime does not for transposed convolutions.

    Only where nothing can be meant but "first this layer, then that norm"; what is merged wrongly all the same fails
    the comparison with the original.
    """
    for parent in module.modules():
        if type(parent).forward is not nn.Sequential.forward:
            continue
        for (layer_name, layer), (norm_name, norm) in pairwise(list(parent.named_children())):
            fused = _fused(layer, norm)
            if fused is not None:
                setattr(parent, layer_name, fused)
                setattr(parent, norm_name, nn.Identity())
    return module


def _fused(layer: Any, norm: Any) -> Any:
    """One layer that does what plain `layer` and `norm` do, or None where they are anything but plain."""
    hooked = any((m._forward_hooks or m._forward_pre_hooks or is_parametrized(m)) for m in (layer, norm))
    if hooked or not getattr(norm, "track_running_stats", False) or getattr(layer, "groups", 1) != 1:
        return None
    match type(layer), type(norm):
        case (nn.Conv2d, nn.BatchNorm2d):
            return fuse_conv_bn_eval(layer, norm)
        case (nn.ConvTranspose2d, nn.BatchNorm2d):
            return fuse_conv_bn_eval(layer, norm, transpose=True)
        case (nn.Linear, nn.BatchNorm1d):
            return fuse_linear_bn_eval(layer, norm)
    return None


def _finish(model: onnx.ModelProto, manifest: Manifest, opset: int, path: Path) -> ModelFile:
    """`model` with its manifest and without traces of this host, checked for everything that bytes can show."""
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    model.producer_name, model.producer_version = "gan-edge", __version__
    model.doc_string = model.graph.doc_string = ""
    assert manifest.output
    for axis, length in zip(
        model.graph.output[0].type.tensor_type.shape.dim[1:], astuple(manifest.output), strict=True
    ):
        axis.dim_value = length  # the exporter leaves some of them open
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: manifest.to_json()})
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"opset {opset}: the checker of onnx refuses the model: {error}") from error
    file = parse_model(model.SerializeToString(deterministic=True), path)
    if file.opsets != {"": opset}:
        raise ExportError(f"opset {opset}: torch wrote {file.opsets} instead")
    if file.external_data:
        raise ExportError(f"{path}: torch left weights outside of the file")
    return file


def _check_request(
    path: Path,
    opset: int,
    latent_dim: int,
    classes: int,
    class_names: tuple[str, ...],
    name: str,
    training: dict[str, Any] | None,
) -> None:
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
        json.dumps([training, class_names, name], ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"training and names must be what JSON can hold: {error}") from None


def _frozen_copy(module: nn.Module) -> nn.Module:
    try:
        return deepcopy(module).cpu().float().eval()
    except Exception as error:  # tensors that are no leaves, locks, files: whatever a module may hold
        raise ExportError(f"the network cannot be copied: {_first_line(error)}") from error


def _image_size(network: nn.Module, latent_dim: int, classes: int, distribution: str) -> ImageSize:
    """What `network` draws, once it is clear that it can be deployed at all."""
    inputs = _inputs(PARITY_BATCHES[-1], latent_dim, classes, distribution)
    with torch.no_grad():
        try:
            images, again = network(*inputs), network(*inputs)
        except Exception as error:  # somebody else's code
            given = f"{'latents and labels' if classes else 'latents'} {[list(x.shape) for x in inputs]}"
            raise ExportError(f"the network does not take {given}: {_first_line(error)}") from error
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
        inputs = _inputs(n, manifest.latents.dim, classes, manifest.latents.distribution)
        feeds = {name: x.numpy() for name, x in zip(("latents", "labels"), inputs, strict=False)}
        with torch.no_grad():
            expected = denormalise(network(*inputs))
        (values,), (found,) = floats.run([grey], feeds), pixels.run(["images"], feeds)
        _compare(n, values / GREY, expected.numpy() / GREY, FLOAT_TOLERANCE, "values in [-1, 1]")
        _compare(n, found.astype(np.int16), to_pixels(expected).short().numpy(), PIXEL_TOLERANCE, "grey levels")


def _compare(n: int, found: NDArray[Any], expected: NDArray[Any], tolerance: float, unit: str) -> None:
    if found.shape != expected.shape:
        raise ExportError(f"batch of {n}: the graph gives {list(found.shape)}, torch {list(expected.shape)}")
    difference = float(np.abs(found - expected).max())
    if not difference <= tolerance:
        raise ExportError(
            f"batch of {n}: the graph differs from torch by {difference:.3g} {unit}, allowed are {tolerance:g}; "
            "does the network depend on the batch size or draw random numbers?"
        )


def _before_rounding(graph: onnx.GraphProto) -> str:
    """Name of the grey values that the last Round of the graph rounds."""
    producers = {output: node for node in graph.node for output in node.output}
    node = producers["images"]
    while node.op_type != "Round":
        node = producers[node.input[0]]
    return str(node.input[0])


def _inputs(n: int, latent_dim: int, classes: int, distribution: str) -> tuple[Tensor, ...]:
    latents = torch.from_numpy(draw_latents(0, 0, n, latent_dim, distribution))
    return (latents, torch.from_numpy(default_labels(0, n, classes))) if classes else (latents,)


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
