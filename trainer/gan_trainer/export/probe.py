"""Look into an exported file of images: the float grey levels before they are rounded."""

from collections.abc import Callable

import numpy as np
import onnx

from gan_runtime.model_file import ModelFile, parse_model
from gan_trainer.data.pixels import GREY
from gan_trainer.export.parity import Compute, Feeds, Rows, file_feeds

IMAGES = "images"


def values_and_pixels(file: ModelFile, model: onnx.ModelProto, levels: float = GREY) -> Compute:
    """`file` as a function that gives its values before rounding, in units of `levels` grey levels, and its pixels.

    `model` is what the file was made of.
    """
    run = values_and_outputs(file, model, [IMAGES], levels)
    names = [port.name for port in file.inputs]
    return lambda rows: run(dict(zip(names, rows, strict=True)))


def values_and_outputs(
    file: ModelFile, model: onnx.ModelProto, outputs: list[str], levels: float = GREY
) -> Callable[[Feeds], Rows]:
    """The same as a function of inputs by name, with all of `outputs` after the values."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    name = _before_rounding(model.graph)
    probe.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    floats = file_feeds(parse_model(probe.SerializeToString(), file.path), [name])
    run = file_feeds(file, outputs)

    def compute(feeds: Feeds) -> Rows:
        return floats(feeds)[0] / np.float32(levels), *run(feeds)

    return compute


def _before_rounding(graph: onnx.GraphProto) -> str:
    """The name of the float grey levels: the input of the last Round of the graph."""
    producers = {output: node for node in graph.node for output in node.output}
    node = producers[IMAGES]
    while node.op_type != "Round":
        node = producers[node.input[0]]
    return str(node.input[0])
