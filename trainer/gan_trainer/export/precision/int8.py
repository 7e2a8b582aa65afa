"""8-bit convolutions and matrix products: QuantizeLinear and DequantizeLinear around them, in the default domain.

Activations are uint8 with one scale per tensor, weights int8 with one per output channel, biases int32. What lies
between, and the results of matrix products, stay in float32. ONNX Runtime computes each such group in integers.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from onnx import NodeProto

from gan_trainer.export.precision.graph import Array, Graph, along, attributes, node_of
from gan_trainer.export.precision.subpixel import SHUFFLE

LEVELS = 255  # of activations, from 0 up
WEIGHT = 64  # the largest size of a weight
"""Processors without VNNI add two products in 16 bits, with saturation (`vpmaddubsw`): 2 x 255 x 64 = 32,640 fits."""
FLAT = 3.5  # tanh is less than a quarter of a grey level from its limit
INT32 = np.iinfo(np.int32)

Ranges: TypeAlias = Mapping[str, tuple[float, float]]


def quantised_tensors(graph: Graph) -> list[str]:
    """Names of the tensors that `quantise` needs ranges of: inputs of products, and results of convolutions."""
    products = [node for node in graph.nodes if _has_kernel(graph, node)]
    results = [_result(graph, node) for node in products if node.op_type == "Conv"]
    return list(dict.fromkeys([*(node.input[0] for node in products), *results]))


def _has_kernel(graph: Graph, node: NodeProto) -> bool:
    """Whether ONNX Runtime computes a product in integers."""
    if not graph.multiplies(node) or node.op_type == "ConvTranspose":
        return False
    if not all(name in graph.constants for name in node.input[1:]):
        return False
    about = attributes(node)
    plain = about.get("alpha", 1) == about.get("beta", 1) == 1 and not about.get("transA", 0)
    return plain and (node.op_type == "Conv" or graph.constants[node.input[1]].ndim == 2)


def _result(graph: Graph, conv: NodeProto) -> str:
    """What a convolution gives, after its ReLU if it has one: both are one kernel."""
    reader = graph.only_reader(conv)
    return str((reader if reader is not None and reader.op_type == "Relu" else conv).output[0])


def quantise(graph: Graph, ranges: Ranges) -> None:
    """Quantise all products with constant weights, and their inputs; `ranges` are those of `quantised_tensors`."""
    ranges = {name: _before_tanh(graph, name, limits) for name, limits in ranges.items()}
    products = [node for node in graph.nodes if _has_kernel(graph, node)]
    scales = {id(node): _scale(*ranges[node.input[0]])[0] for node in products}
    for name in quantised_tensors(graph):
        _quantise_tensor(graph, name, *_scale(*ranges[name]))
    for node in products:
        _quantise_weights(graph, node, scales[id(node)])


def _before_tanh(graph: Graph, name: str, limits: tuple[float, float]) -> tuple[float, float]:
    """The range of a tensor without the part where only a tanh follows that is flat there."""
    node = graph.producer(name)
    reader = None if node is None else graph.only_reader(node)
    while reader is not None and reader.op_type in (SHUFFLE, "Reshape"):
        reader = graph.only_reader(reader)
    if reader is None or reader.op_type != "Tanh":
        return limits
    return max(limits[0], -FLAT), min(limits[1], FLAT)


def _scale(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """The scale and the zero point of a tensor. The range includes 0, which is exact."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / LEVELS) or np.float32(1)
    return scale, np.uint8(np.clip(np.rint(-low / scale), 0, LEVELS))


def _quantise_tensor(graph: Graph, name: str, scale: np.float32, zero: np.uint8) -> None:
    """Let all that reads a tensor read it with 8 bits."""
    facts = [graph.constant(f"{name}_scale", np.asarray(scale)), graph.constant(f"{name}_zero", np.asarray(zero))]
    for node in graph.nodes:
        node.input[:] = [f"{name}_read" if one == name else one for one in node.input]
    graph.insert_after(
        name,
        [
            node_of("QuantizeLinear", [name, *facts], [f"{name}_levels"]),
            node_of("DequantizeLinear", [f"{name}_levels", *facts], [f"{name}_read"]),
        ],
    )


def _quantise_weights(graph: Graph, node: NodeProto, scale: np.float32) -> None:
    """Store the weights with 8 bits and the bias in the unit of the sums; `scale` is that of the input."""
    weight = graph.constants[node.input[1]]
    transposed = node.op_type == "Gemm" and attributes(node).get("transB", 0)
    axis = 0 if node.op_type == "Conv" or transposed else weight.ndim - 1
    values, scales = quantised_weights(weight, axis)
    added = [_stored(graph, node.input[1], values, scales, axis)]
    for name in node.input[2:]:
        unit = (scales * scale).astype(np.float32)
        sums = np.clip(np.rint(graph.constants[name] / unit.astype(np.float64)), INT32.min, INT32.max)
        added.append(_stored(graph, name, sums.astype(np.int32), unit, 0))
    node.input[1:] = [one.output[0] for one in added]
    graph.replace(node, [*added, node])


def quantised_weights(weight: Array, axis: int) -> tuple[Array, Array]:
    """Weights as int8 from -64 to 64, and their scales along `axis`, float32."""
    largest = np.abs(weight).max(tuple(i for i in range(weight.ndim) if i != axis))
    scales = np.where(largest > 0, largest / WEIGHT, 1).astype(np.float32)
    return np.rint(weight / along(scales, axis, weight.ndim)).clip(-WEIGHT, WEIGHT).astype(np.int8), scales


def _stored(graph: Graph, name: str, values: Array, scales: Array, axis: int) -> NodeProto:
    """The node that reads stored integers."""
    inputs = [graph.constant(f"{name}_stored", values), graph.constant(f"{name}_scales", scales)]
    if values.dtype == np.int8:
        inputs.append(graph.constant(f"{name}_zeros", np.zeros(len(scales), np.int8)))
    return node_of("DequantizeLinear", inputs, [f"{inputs[0]}_read"], axis=axis)
