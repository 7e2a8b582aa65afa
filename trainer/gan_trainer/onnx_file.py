"""A torch module as the bytes of a verified ONNX file: the same for every kind of network."""

import io
import warnings
from copy import deepcopy
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

from gan_runtime.errors import GanEdgeError
from gan_runtime.manifest import METADATA_KEY, Manifest
from gan_runtime.model_file import ModelFile, parse_model
from gan_trainer import __version__

OPSETS = range(13, 21)


class ExportError(GanEdgeError):
    """The network cannot be exported as asked, or the file would not keep its promises."""


def frozen_copy(module: nn.Module) -> nn.Module:
    """`module` on the CPU, in float32 and evaluation mode, apart from the original."""
    try:
        return deepcopy(module).cpu().float().eval()
    except Exception as error:  # tensors that are no leaves, locks, files: whatever a module may hold
        raise ExportError(f"the network cannot be copied: {first_line(error)}") from error


def to_onnx(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], opset: int) -> onnx.ModelProto:
    """The one place that chooses torch's exporter; inputs and outputs have these names, and any number of rows.

    The TorchScript one honours every opset exactly; the default one speaks opset 18 and converts down, or says that it
    did. Its trace warnings and its deprecation notice are no news to users.
    """
    content = io.BytesIO()
    # It turns its log on before it traces, by a slip of torch's, and prints whole graphs on stdout when it fails.
    quiet = module.register_forward_pre_hook(lambda *_: torch._C._jit_set_onnx_log_enabled(False))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                tuple(inputs.values()),
                content,  # type: ignore[arg-type]  # the TorchScript exporter writes to files, too
                input_names=list(inputs),
                output_names=outputs,
                dynamic_axes={name: {0: "n"} for name in [*inputs, *outputs]},
                opset_version=opset,
                dynamo=False,
            )
    except Exception as error:  # whatever the tracer and every operator's symbolic raise
        raise ExportError(f"opset {opset}: torch cannot export the network: {first_line(error)}") from error
    finally:
        quiet.remove()
    return onnx.load_from_string(content.getvalue())


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Merge each batch norm into the layer before it, in place; ONNX Runtime does not for transposed convolutions.

    Only where nothing can be meant but "first this layer, then that norm"; what is merged wrongly all the same fails
    the comparison with the original.
    """
    for parent in module.modules():
        if type(parent).forward is not nn.Sequential.forward:
            continue
        _norms_before_shuffles(parent)
        for (layer_name, layer), (norm_name, norm) in pairwise(list(parent.named_children())):
            fused = _fused(layer, norm)
            if fused is not None:
                setattr(parent, layer_name, fused)
                setattr(parent, norm_name, nn.Identity())
    return module


def _norms_before_shuffles(parent: nn.Module) -> None:
    """A norm after a pixel shuffle is one of all the channels that the shuffle takes together, before it."""
    for (shuffle_name, shuffle), (norm_name, norm) in pairwise(list(parent.named_children())):
        if type(shuffle) is nn.PixelShuffle and type(norm) is nn.BatchNorm2d and _is_plain(shuffle, norm):
            setattr(parent, shuffle_name, _widened(norm, shuffle.upscale_factor**2))
            setattr(parent, norm_name, shuffle)


def _widened(norm: nn.BatchNorm2d, times: int) -> nn.BatchNorm2d:
    """The same norm for so many neighbouring channels in place of each one."""
    wide = nn.BatchNorm2d(norm.num_features * times, norm.eps, affine=norm.affine).train(norm.training)
    values = {name: value.repeat_interleave(times) for name, value in norm.state_dict().items() if value.ndim}
    wide.load_state_dict(wide.state_dict() | values)
    return wide


def _is_plain(*modules: nn.Module) -> bool:
    """Whether they do what their types say, with the statistics that they have learned."""
    hooked = any((m._forward_hooks or m._forward_pre_hooks or is_parametrized(m)) for m in modules)
    return not hooked and bool(getattr(modules[-1], "track_running_stats", False))


def _fused(layer: Any, norm: Any) -> Any:
    """One layer that does what plain `layer` and `norm` do, or None where they are anything but plain."""
    if not _is_plain(layer, norm) or getattr(layer, "groups", 1) != 1:
        return None
    match type(layer), type(norm):
        case (nn.Conv2d, nn.BatchNorm2d):
            return fuse_conv_bn_eval(layer, norm)
        case (nn.ConvTranspose2d, nn.BatchNorm2d):
            return fuse_conv_bn_eval(layer, norm, transpose=True)
        case (nn.Linear, nn.BatchNorm1d):
            return fuse_linear_bn_eval(layer, norm)
    return None


def finish(
    model: onnx.ModelProto, manifest: Manifest, shapes: dict[str, tuple[int, ...]], opset: int, path: Path
) -> ModelFile:
    """`model` with its manifest and without traces of this host, checked for everything that bytes can show.

    `shapes` are those of the outputs but for their first axis; the exporter leaves some of them open.

    Raises:
        ExportError: the checker refuses it, or it is not of this opset.
    """
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    model.producer_name, model.producer_version = "gan-edge", __version__
    model.doc_string = model.graph.doc_string = ""
    for output in model.graph.output:
        for axis, length in zip(output.type.tensor_type.shape.dim[1:], shapes[output.name], strict=True):
            axis.dim_value = length
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


def compare(
    n: int, found: NDArray[Any], expected: NDArray[Any], tolerance: float, unit: str, origin: str = "torch"
) -> None:
    """Raise ExportError where arrays of a batch of n differ from those of `origin` by more than `tolerance`."""
    if found.shape != expected.shape:
        raise ExportError(f"batch of {n}: the graph gives {list(found.shape)}, {origin} {list(expected.shape)}")
    difference = float(np.abs(found - expected).max())
    if not difference <= tolerance:
        raise ExportError(
            f"batch of {n}: the graph differs from {origin} by {difference:.3g} {unit}, allowed are {tolerance:g}; "
            "does the network depend on the batch size or draw random numbers?"
        )


def first_line(error: Exception) -> str:
    """What an error says, on one line."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
