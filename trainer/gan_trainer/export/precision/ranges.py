"""The ranges of tensors of a graph, over inputs that are typical of it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx

from gan_runtime.model_file import parse_model
from gan_trainer.export.onnx_file import ExportError
from gan_trainer.export.parity import Feeds, file_feeds

Range = tuple[float, float]


def ranges_of(model: onnx.ModelProto, names: Sequence[str], feeds: Iterable[Feeds], path: Path) -> dict[str, Range]:
    """The least and the largest value of each tensor, over `feeds`. Inputs that these leave out have none.

    Raises:
        ExportError: ONNX Runtime cannot run the graph, or a value is not finite.
    """
    given = {port.name for port in model.graph.input}
    watched = [name for name in names if name not in given]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    outputs = {port.name for port in probe.graph.output}
    float32 = onnx.TensorProto.FLOAT
    probe.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, float32, None) for name in watched if name not in outputs
    )
    run = file_feeds(parse_model(probe.SerializeToString(), path), watched)
    found: dict[str, Range] = {}
    for feed in feeds:
        values = dict(zip(watched, run(feed), strict=True)) | {name: feed[name] for name in names if name in feed}
        for name, value in values.items():
            low, high = found.get(name, (np.inf, -np.inf))
            found[name] = min(low, float(value.min())), max(high, float(value.max()))
    if not np.isfinite(list(found.values())).all():
        raise ExportError("the network gives values that are not finite for inputs of the calibration")
    return found
