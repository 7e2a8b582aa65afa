"""Small translators, made node by node: their outputs follow from their definition."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper
from onnx.helper import make_node
from onnx.numpy_helper import from_array

from gan_runtime.manifest import METADATA_KEY, Counterpart, ImageAxes, ImageToImageManifest, Tiling, TranslateManifest
from gan_trainer.export.manifest import to_json

NEGATIVE, COPY, WHITE = (-1, 255), (1, 0), (0, 255)  # rules of `linear_translator`
TINT = (1.0, 0.5, 0.25)
CONSTANTS = {
    "white": np.float32(255),
    "grey": np.float32(128),
    "border": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "tint": np.array(TINT, np.float32),
    "low": np.float32(0),
    "high": np.float32(255),
}
Nodes = Sequence[NodeProto]
INVERT: Nodes = [make_node("Sub", ["white", "pixels"], ["values"])]
BLUR: Nodes = [  # the mean of 3 x 3 pixels, edges repeated
    make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
    make_node("Pad", ["planes", "border"], ["padded"], mode="edge"),
    make_node("AveragePool", ["padded"], ["mean"], kernel_shape=[3, 3]),
    make_node("Transpose", ["mean"], ["values"], perm=[0, 2, 3, 1]),
]
CENTRE: Nodes = [  # the mean of each picture becomes 128: it looks at the whole, as instance norm does
    make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=1),
    make_node("Sub", ["pixels", "mean"], ["centred"]),
    make_node("Add", ["centred", "grey"], ["values"]),
]
COLOUR: Nodes = [make_node("Mul", ["pixels", "tint"], ["values"])]  # grey to colour
KINDS: dict[str, tuple[Nodes, int, int, Tiling]] = {  # channels in and out
    "invert": (INVERT, 3, 3, Tiling(context=0, norm="none")),
    "invert-grey": (INVERT, 1, 1, Tiling(context=0, norm="none")),
    "blur": (BLUR, 3, 3, Tiling(multiple=4, least=4, context=1, norm="batch")),
    "centre": (CENTRE, 3, 3, Tiling(context=None, norm="instance", tile=128, tile_psnr=31.25)),
    "colour": (COLOUR, 1, 3, Tiling(context=0, norm="none")),
}


def translator(path: str | Path, kind: str = "invert", side: int | None = None, **about: Any) -> Path:
    """Write a translator of `KINDS`; `side` fixes the height and width, `about` are fields of its manifest."""
    nodes, takes, gives, tiling = KINDS[kind]
    manifest = TranslateManifest(
        name=kind,
        source=ImageAxes(side, side, takes),
        output=ImageAxes(side, side, gives),
        network=None if side else tiling,
        **about,
    )
    body = [
        make_node("Cast", ["source"], ["pixels"], to=TensorProto.FLOAT),
        *nodes,
        make_node("Round", ["values"], ["rounded"]),
        make_node("Clip", ["rounded", "low", "high"], ["clipped"]),
        make_node("Cast", ["clipped"], ["images"], to=TensorProto.UINT8),
    ]
    return save_network(path, body, manifest, CONSTANTS)


def linear_translator(
    path: Path, rule: tuple[int, int], channels: int = 1, counterpart: Counterpart | None = None, **about: Any
) -> Path:
    """Write a file that turns x into a x + b, for images of any size; `about` are fields of its manifest."""
    factor, offset = rule
    nodes = [
        make_node("Cast", ["source"], ["values"], to=TensorProto.INT32),
        make_node("Mul", ["values", "factor"], ["scaled"]),
        make_node("Add", ["scaled", "offset"], ["moved"]),
        make_node("Cast", ["moved"], ["images"], to=TensorProto.UINT8),
    ]
    any_size = ImageAxes(None, None, channels)
    manifest = TranslateManifest(
        name=path.stem, source=any_size, output=any_size, network=Tiling(context=0), counterpart=counterpart, **about
    )
    return save_network(path, nodes, manifest, {"factor": np.int32(factor), "offset": np.int32(offset)})


def save_network(path: str | Path, nodes: Nodes, manifest: ImageToImageManifest, constants: dict[str, Any]) -> Path:
    """Write a file that gives images for images. `constants` are those that the nodes may use."""
    used = {name for node in nodes for name in node.input}
    axes = {
        name: ["n", size.height or "h", size.width or "w", size.channels]
        for name, size in (("source", manifest.source), ("images", manifest.output))
    }
    graph = helper.make_graph(
        nodes,
        manifest.name,
        [helper.make_tensor_value_info("source", TensorProto.UINT8, axes["source"])],
        [helper.make_tensor_value_info("images", TensorProto.UINT8, axes["images"])],
        [from_array(np.asarray(value), name) for name, value in constants.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: to_json(manifest)})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return Path(path)
