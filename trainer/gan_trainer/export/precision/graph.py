"""Graphs of ONNX that are edited node by node."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

Array: TypeAlias = NDArray[Any]
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")

node_of = onnx.helper.make_node


class Graph:
    """The nodes and the constants of a model, which is as it was until `write` puts both into it.

    Nodes stay in an order in which each follows what it reads.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.nodes = [NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
        self.inputs = [port.name for port in model.graph.input]
        self._defaults = [tensor for tensor in model.graph.initializer if tensor.name in self.inputs]
        self.constants: dict[str, Array] = {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in model.graph.initializer
            if tensor.name not in self.inputs  # those have the value of an input that is not given
        }
        self.outputs = [port.name for port in model.graph.output]

    def write(self) -> None:
        """Replace the nodes and the constants of the model. Constants that nothing reads are dropped."""
        graph = self.model.graph
        read = {name for node in self.nodes for name in node.input} | set(self.outputs)
        self._defaults = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in self._defaults]
        for part in (graph.node, graph.initializer, graph.value_info):
            del part[:]
        graph.node.extend(self.nodes)
        kept = {name: value for name, value in self.constants.items() if name in read}
        graph.initializer.extend(self._defaults)
        graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in kept.items())

    def constant(self, name: str, value: Array) -> str:
        """A new constant, and its name, which begins with `name`."""
        while name in self.constants:
            name += "_"
        self.constants[name] = value
        return name

    def producer(self, name: str) -> NodeProto | None:
        """The node that gives a tensor; None for inputs and constants."""
        return next((node for node in self.nodes if name in node.output), None)

    def only_reader(self, node: NodeProto) -> NodeProto | None:
        """The node that alone reads what `node` gives; None if others do, too, or if it is an output of the graph."""
        found = [other for other in self.nodes if node.output[0] in other.input]
        return found[0] if len(found) == 1 and node.output[0] not in self.outputs else None

    def multiplies(self, node: NodeProto) -> bool:
        """Whether a node is a product with constant weights."""
        return node.op_type in PRODUCTS and node.input[1] in self.constants

    def remove(self, *nodes: NodeProto) -> None:
        """Take nodes out of the graph."""
        self.nodes = [node for node in self.nodes if not any(node is one for one in nodes)]

    def replace(self, node: NodeProto, others: Iterable[NodeProto]) -> None:
        """Put `others` in the place of `node`, which may be one of them."""
        place = next(i for i, one in enumerate(self.nodes) if one is node)
        self.nodes[place : place + 1] = others

    def insert_after(self, name: str, nodes: Iterable[NodeProto]) -> None:
        """Put `nodes` where the tensor `name` is known."""
        place = max((i + 1 for i, node in enumerate(self.nodes) if name in node.output), default=0)
        self.nodes[place:place] = nodes

    def shorten_names(self) -> None:
        """Number the tensors and leave out the names of nodes: in small files they take as much as the weights."""
        names = {name: name for name in ("", *self.inputs, *self.outputs)}
        for node in self.nodes:
            node.name = ""
            for part in (node.input, node.output):
                part[:] = [names.setdefault(name, f"t{len(names)}") for name in part]
        self.constants = {names[name]: value for name, value in self.constants.items() if name in names}


def attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node by name."""
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def is_plain(node: NodeProto, stride: int | None = 1) -> bool:
    """Whether a convolution has one group, no dilation, equal padding on all sides and this stride; None: any stride.

    A transposed one must not have output padding.
    """
    about = attributes(node)
    strides, pads = set(about.get("strides", [1])), set(about.get("pads", [0]))
    usual = about.get("group", 1) == 1 and set(about.get("dilations", [1])) == {1} and len(strides) == len(pads) == 1
    usual = usual and about.get("auto_pad", b"NOTSET") == b"NOTSET" and "output_shape" not in about
    return usual and not any(about.get("output_padding", [0])) and (stride is None or strides == {stride})


def along(values: Array, axis: int, ndim: int) -> Array:
    """A vector in the shape in which it multiplies along `axis` of an array of `ndim` axes."""
    return np.expand_dims(values, [i for i in range(ndim) if i != axis])
