"""Products, and the layers between them, in 16-bit floats. Inputs, outputs, normalisations and the ends stay in fp32.

The ends are what comes before the first product and after the last one: pixels become numbers there, and numbers
pixels. Without them no grey level would be exact, and sums of normalisations overflow above 65,504.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import NodeProto, TensorProto

from gan_trainer.export.precision.graph import PRODUCTS, Graph, node_of

LARGEST = 65_504 / 8  # a node with larger values in calibration stays in fp32
HALF = {  # operators that give in fp16 what they give in fp32, up to rounding
    *(*PRODUCTS, "Relu", "LeakyRelu", "PRelu", "Tanh", "Sigmoid", "Add", "Sub", "Mul"),
    *("DepthToSpace", "Reshape", "Transpose", "Concat", "Split", "Slice", "Pad", "Resize", "Identity", "Flatten"),
    *("Squeeze", "Unsqueeze", "Expand", "Clip"),
}
NUMBERS = {"Reshape": 1, "Slice": 1, "Pad": 2, "Resize": 1, "Split": 1, "Squeeze": 1, "Unsqueeze": 1, "Expand": 1}
"""How many of the first inputs are values; the further ones say where they go."""


def float_tensors(model: onnx.ModelProto) -> set[str]:
    """Names of all float32 tensors of a graph, as far as their types can be inferred."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    ports = [*inferred.value_info, *inferred.input, *inferred.output]
    return {port.name for port in ports if port.type.tensor_type.elem_type == TensorProto.FLOAT}


def to_half(graph: Graph, floats: set[str], largest: Mapping[str, float]) -> int:
    """Let the nodes between the first and the last product compute in fp16, and give the number of them.

    `floats` are the `float_tensors`, `largest` the largest sizes of those that nodes read and give.
    """
    constants = {name for name, value in graph.constants.items() if value.dtype == np.float32}
    inner = [node for node in _between_products(graph) if _fits(node, floats | constants, largest)]
    half: dict[str, str] = {}
    for node in list(graph.nodes):
        if any(node is one for one in inner):
            _halve(graph, node, floats, half)
    return sum(node.op_type in PRODUCTS for node in inner)


def _between_products(graph: Graph) -> list[NodeProto]:
    """The nodes that follow a product or are one, and of whose results products are made or which are products."""
    after: set[str] = set()
    for node in graph.nodes:
        if node.op_type in PRODUCTS or after & set(node.input):
            after |= set(node.output)
    before: set[str] = set()
    for node in reversed(graph.nodes):
        if node.op_type in PRODUCTS or before & set(node.output):
            before |= set(node.input)
    return [
        node
        for node in graph.nodes
        if node.op_type in PRODUCTS or (after & set(node.input) and before & set(node.output))
    ]


def _fits(node: NodeProto, floats: set[str], largest: Mapping[str, float]) -> bool:
    """Whether a node has floats alone, all of them far from the largest number of fp16."""
    values = [name for name in _values(node) if name]
    return (
        node.op_type in HALF
        and all(name in floats for name in [*values, *node.output])
        and all(largest.get(name, 0.0) <= LARGEST for name in [*values, *node.output])
    )


def _values(node: NodeProto) -> list[str]:
    return list(node.input)[: NUMBERS.get(node.op_type)]


def _halve(graph: Graph, node: NodeProto, floats: set[str], half: dict[str, str]) -> None:
    """Let one node read and give fp16, with casts to and from it where its neighbours compute in fp32."""
    casts = []
    for name in dict.fromkeys(one for one in _values(node) if one):
        if name not in half:
            half[name] = f"{name}_half"
            if name in graph.constants:
                graph.constants[half[name]] = graph.constants[name].astype(np.float16)
            else:
                casts.append(node_of("Cast", [name], [half[name]], to=TensorProto.FLOAT16))
    count = len(_values(node))
    node.input[:count] = [half.get(name, name) for name in node.input[:count]]
    back = []
    for i, name in enumerate(node.output):
        half[name] = node.output[i] = f"{name}_half"
        back.append(node_of("Cast", [half[name]], [name], to=TensorProto.FLOAT))
    graph.replace(node, [*casts, node, *back])


def drop_unread(graph: Graph) -> None:
    """Take out nodes that nothing reads, such as casts back to fp32 that only nodes in fp16 follow."""
    kept, read = [], set(graph.outputs)
    for node in reversed(graph.nodes):
        if read & set(node.output):
            kept.append(node)
            read |= set(node.input)
    graph.nodes = kept[::-1]
