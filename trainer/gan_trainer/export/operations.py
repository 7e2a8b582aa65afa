"""The floating-point operations of a graph, which are counted while ONNX Runtime runs it once."""

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from gan_runtime.manifest import FeaturesManifest, ImageToImageManifest, Manifest
from gan_runtime.onnx_runtime import CPU, create_session, import_onnxruntime

SIDE = 64  # pixels of images of any size
COUNTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def operations_of(model: onnx.ModelProto, manifest: Manifest) -> int:
    """Operations in convolutions and matrix products, two per multiplication and addition, as `Manifest.flops` says.

    They are those of one row of the inputs or, of a network that takes images of any size, of a pixel of them; 0 of a
    network that cannot be run with one row, which the comparison with torch refuses in words of its own.
    """
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    nodes = [node for node in model.graph.node if node.op_type in COUNTED]
    known = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    wanted = {name for node in nodes for name in (*node.input[:2], node.output[0])} - known.keys()
    there = {value.name for value in model.graph.output}
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted - there))
    given = {port.name for port in model.graph.input}
    session = create_session(import_onnxruntime(), probe.SerializeToString(), [CPU], threads=1)
    feeds = {port.name: _zeros(port, manifest) for port in session.get_inputs()}
    asked = sorted(wanted - given)
    try:
        found = session.run(asked, feeds) if asked else []
    except Exception:  # ONNX Runtime derives straight from Exception
        return 0
    known |= {name: array.shape for name, array in zip(asked, found, strict=True)}
    known |= {name: array.shape for name, array in feeds.items()}
    return round(sum(_operations(node, known) for node in nodes) / _pixels(feeds, manifest))


def _operations(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    """Of one node. Each value of the output, or of the input if that is spread out, is used once per weight."""
    first, second, output = (shapes[name] for name in (*node.input[:2], node.output[0]))
    if node.op_type == "Conv":
        return 2 * math.prod(output) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return 2 * math.prod(first) * math.prod(second[1:])
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return 2 * math.prod(output) * first[0 if transposed else -1]


def _zeros(port: Any, manifest: Manifest) -> NDArray[Any]:
    """An input of one row, whose other axes have their length or, if they may have any, the side of a small image."""
    side = SIDE
    if isinstance(manifest, ImageToImageManifest) and manifest.network:
        side = -(-max(SIDE, manifest.network.least) // manifest.network.multiple) * manifest.network.multiple
    channels = [3] if isinstance(manifest, FeaturesManifest) and not isinstance(port.shape[-1], int) else []
    axes = [axis if isinstance(axis, int) else side for axis in port.shape[1 : len(port.shape) - len(channels)]]
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(uint8)": np.uint8}
    return np.zeros((1, *axes, *channels), kinds[port.type])


def _pixels(feeds: dict[str, NDArray[Any]], manifest: Manifest) -> int:
    """Pixels of the input of a network that takes images of any size, else 1."""
    any_size = isinstance(manifest, ImageToImageManifest) and manifest.network is not None
    any_size |= isinstance(manifest, FeaturesManifest) and None in (manifest.images.height, manifest.images.width)
    return math.prod(next(iter(feeds.values())).shape[1:3]) if any_size else 1
