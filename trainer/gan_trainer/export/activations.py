"""The largest tensor between the layers of a graph, by which the runtime estimates the memory of an image."""

import math

import onnx


def largest_activation(model: onnx.ModelProto) -> int:
    """Values per image of the largest tensor that has one row per image, as far as onnx can infer shapes; 0 if none."""
    inferred = onnx.shape_inference.infer_shapes(model)
    shapes = [value.type.tensor_type.shape.dim for value in inferred.graph.value_info]
    rows = [[axis.dim_value for axis in shape[1:]] for shape in shapes if shape and shape[0].dim_param]
    return max((math.prod(lengths) for lengths in rows), default=0)
