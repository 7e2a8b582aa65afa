"""Inputs of a graph that need not be given: an initializer of the same name has the value that applies then."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def make_optional(model: onnx.ModelProto, defaults: Mapping[str, NDArray[np.float32]]) -> None:
    """Give inputs of `model` a value of one row, in place. They then take one row or as many as there are.

    Their first axis gets a name of its own: with that of the other inputs, ONNX Runtime would expect n rows.
    """
    for port in model.graph.input:
        if port.name in defaults:
            port.type.tensor_type.shape.dim[0].dim_param = port.name
            model.graph.initializer.append(numpy_helper.from_array(defaults[port.name], port.name))
