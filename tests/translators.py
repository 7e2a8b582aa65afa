"""Translator files that compute a x + b for each pixel value x: small, and their outputs are known."""

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from gan_runtime.manifest import METADATA_KEY, Counterpart, ImageAxes, Tiling, TranslateManifest
from gan_trainer.export.manifest import to_json

NEGATIVE, COPY, WHITE = (-1, 255), (1, 0), (0, 255)


def linear_translator(
    path: Path, rule: tuple[int, int], channels: int = 1, counterpart: Counterpart | None = None, **about: Any
) -> Path:
    """Write a file that turns x into a x + b, for images of any size; `about` are fields of its manifest."""
    factor, offset = rule
    values = {"factor": factor, "offset": offset}
    nodes = [
        helper.make_node("Cast", ["source"], ["values"], to=TensorProto.INT32),
        helper.make_node("Mul", ["values", "factor"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["moved"]),
        helper.make_node("Cast", ["moved"], ["images"], to=TensorProto.UINT8),
    ]
    axes = ["n", "h", "w", channels]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("source", TensorProto.UINT8, axes)],
        [helper.make_tensor_value_info("images", TensorProto.UINT8, axes)],
        [helper.make_tensor(name, TensorProto.INT32, [], [value]) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    any_size = ImageAxes(None, None, channels)
    manifest = TranslateManifest(
        name=path.stem, source=any_size, output=any_size, network=Tiling(context=0), counterpart=counterpart, **about
    )
    helper.set_model_props(model, {METADATA_KEY: to_json(manifest)})
    onnx.save(model, path)
    return path
