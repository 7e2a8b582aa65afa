"""Generators as other people export them: small ONNX files without a manifest."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array

DIM, SIDE = 16, 8
FLOAT, HALF, DOUBLE, UINT8, INT64, INT32, BOOL = (
    TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8, TensorProto.INT64, TensorProto.INT32,
    TensorProto.BOOL,
)  # fmt: skip
Value = ValueInfoProto
node, value = make_node, make_tensor_value_info


def weight(channels: int = 3, seed: int = 0) -> Any:
    """float32 [DIM, channels * SIDE * SIDE]: of latents N(0, 1) it makes values whose deviation is about 0.8."""
    return np.random.default_rng(seed).normal(0, 0.2, (DIM, channels * SIDE * SIDE)).astype(np.float32)


def save(
    path: str | Path,
    nodes: Sequence[NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    **weights: Any,
) -> str:
    """An ONNX file of these nodes; `weights` are its constants by name."""
    graph = make_graph(nodes, "g", inputs, outputs, [from_array(np.asarray(a), name) for name, a in weights.items()])
    model = make_model(graph, opset_imports=[make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return str(path)


def generator(
    path: str | Path = "g.onnx",
    *,
    before: Sequence[NodeProto] = (),
    after: Sequence[NodeProto] = (),
    inputs: Sequence[Value] = (),
    output: Value | None = None,
    more_outputs: Sequence[Value] = (),
    shape: Sequence[int] = (-1, 3, SIDE, SIDE),
    **weights: Any,
) -> str:
    """tanh(z w) as `t` [n, values], reshaped to the output `image`.

    `before` makes `z` of the `inputs`, which are z itself if there are none; `after` makes `image` of `t`.
    """
    channels = next(axis for axis in shape[1:] if axis in (1, 3, 4))
    body = [*before, node("MatMul", ["z", "w"], ["a"]), node("Tanh", ["a"], ["t"])]
    end = [*after] or [node("Reshape", ["t", "s"], ["image"])]
    axes = ["n", *shape[1:]] if shape[0] == -1 else list(shape)
    return save(
        path,
        [*body, *end],
        inputs or [value("z", FLOAT, ["n", DIM])],
        [output or value("image", FLOAT, axes), *more_outputs],
        **{"w": weight(channels), "s": np.array(shape)} | weights,
    )


def table(path: str | Path, images: Any) -> str:
    """A generator that gives one of `images` [k, c, h, w], that of the largest of k latents."""
    nodes = [
        node("ArgMax", ["z"], ["i"], axis=1, keepdims=0),
        node("Gather", ["images", "i"], ["image"], axis=0),
    ]
    shape = ["n", *images.shape[1:]]
    inputs, outputs = [value("z", FLOAT, ["n", len(images)])], [value("image", FLOAT, shape)]
    return save(path, nodes, inputs, outputs, images=images.astype(np.float32))
