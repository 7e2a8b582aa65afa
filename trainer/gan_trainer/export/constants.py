"""Compute the constant parts of a graph, so that a file has each number once, and in the form that is used."""

import hashlib
from typing import TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

Values: TypeAlias = dict[str, NDArray[np.generic]]

LITTLE = 2**10  # bytes: shapes, and numbers for each of some channels


def fold_constants(model: onnx.ModelProto) -> None:
    """Replace nodes that depend on no input by their results, and drop what is then unused, in place.

    torch's exporter folds some kinds of nodes only. It stores the squares of weights beside them, for instance, but not
    the sums of these squares that the graph is after. A node whose result is larger than its inputs, such as noise
    added to the bias of each channel, stays in the graph.
    """
    graph = model.graph
    values: Values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        results = _results(node, values, model)
        if results is None:
            kept.append(node)
        else:
            values |= results
    _replace_nodes(graph, kept)
    _store(graph, values)


def _results(node: onnx.NodeProto, values: Values, model: onnx.ModelProto) -> Values | None:
    """The outputs of a node by name; None if it has an input that is no constant, or if they are too large to store.

    That is larger than the inputs and than `LITTLE`.
    """
    names = [name for name in node.input if name]
    if not all(name in values for name in names) or any(attribute.HasField("g") for attribute in node.attribute):
        return None
    given = {name: values[name] for name in names}
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    results = [np.asarray(value) for value in ReferenceEvaluator(node, opsets=opsets).run(None, given)]
    largest = max(LITTLE, sum(value.nbytes for value in given.values()))
    if node.input and sum(value.nbytes for value in results) > largest:
        return None
    return dict(zip(node.output, results, strict=True))


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _store(graph: onnx.GraphProto, values: Values) -> None:
    """Make those of `values` that the graph uses its initializers. Equal ones become one."""
    outputs = {port.name for port in graph.output}
    names: dict[str, str] = {}
    del graph.initializer[:]
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name not in values:
                continue
            value = values[name]
            digest = hashlib.sha256(value.tobytes()).hexdigest()
            key = f"{value.dtype} {value.shape} {digest}"
            if key not in names:
                names[key] = name
                graph.initializer.append(numpy_helper.from_array(value, name))
            node.input[i] = names[key]
    for name in outputs & set(values):
        graph.initializer.append(numpy_helper.from_array(values[name], name))
