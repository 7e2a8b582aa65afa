"""A verified file in int8 or fp16, made of one in fp32."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from gan_runtime.errors import GanEdgeError
from gan_runtime.evaluation.fingerprint import PIXELS, difference, first_levels, source_images, spread
from gan_runtime.generator import Generator
from gan_runtime.image_to_image.model import ImageToImage
from gan_runtime.manifest import Fingerprint, Manifest, Precision, read_manifest
from gan_runtime.model_file import ModelFile
from gan_runtime.onnx_runtime import CPU, FATAL, import_onnxruntime
from gan_runtime.opening import open_model
from gan_runtime.session import open_session
from gan_trainer.export.constants import fold_constants
from gan_trainer.export.context import check_tiles
from gan_trainer.export.onnx_file import ExportError, finish
from gan_trainer.export.parity import Feeds, Rows
from gan_trainer.export.precision.fp16 import drop_unread, float_tensors, to_half
from gan_trainer.export.precision.graph import Graph
from gan_trainer.export.precision.int8 import quantise, quantised_tensors
from gan_trainer.export.precision.ranges import ranges_of
from gan_trainer.export.precision.subpixel import rewrite_shuffles

FP32, INT8, FP16 = "fp32", "int8", "fp16"
CHECKED = 7  # rows whose results must not depend on their batch


def reduced_file(file: ModelFile, precision: str, feeds: Sequence[Feeds]) -> ModelFile:
    """`file` in a lower precision, of which is known that no row depends on others, on a CPU.

    Args:
        file: in fp32, as `gan_trainer.export` makes it.
        precision: "int8" or "fp16".
        feeds: typical inputs, which the ranges of activations are taken from.

    Raises:
        ExportError: the network has no products to reduce, or the file breaks the contract of its task.
    """
    model = onnx.load_from_string(file.content)
    if (
        not file.optional
    ):  # those of a generator with styles are folded, and the defaults of its inputs are no constants
        fold_constants(model)
    EDITS[precision](model, file, feeds)
    manifest = _manifest(file)
    fingerprint: Fingerprint | None = getattr(manifest, "fingerprint", None)
    reduced = _finished(file, model, manifest)
    if precision == INT8:  # integers add up in any order
        _check_rows(reduced, feeds[0])
    if fingerprint is None:
        return reduced
    renewed = _fingerprint(reduced, fingerprint, precision)
    return _finished(file, model, replace(manifest, fingerprint=renewed))  # type: ignore[call-arg]  # it has one


def described(file: ModelFile, precision: Precision, **changes: object) -> ModelFile:
    """`file` with a `precision` in its manifest, and other changes of it."""
    manifest = replace(_manifest(file), precision=precision, **changes)  # type: ignore[arg-type]
    return _finished(file, onnx.load_from_string(file.content), manifest)


def _to_int8(model: onnx.ModelProto, file: ModelFile, feeds: Sequence[Feeds]) -> None:
    graph = Graph(model)
    rewrite_shuffles(graph)
    graph.write()
    graph = Graph(model)
    names = quantised_tensors(graph)
    if not names:
        raise ExportError("--precision int8: the network has no convolution or matrix product with constant weights")
    quantise(graph, ranges_of(model, names, feeds, file.path))
    graph.shorten_names()
    graph.write()


def _to_fp16(model: onnx.ModelProto, file: ModelFile, feeds: Sequence[Feeds]) -> None:
    graph, floats = Graph(model), float_tensors(model)
    given = {name for node in graph.nodes for name in (*node.input, *node.output)} & floats
    ranges = ranges_of(model, sorted(given - set(graph.constants)), feeds, file.path)
    largest = {name: max(-low, high) for name, (low, high) in ranges.items()}
    largest |= {name: float(np.abs(value).max(initial=0)) for name, value in graph.constants.items() if name in given}
    if not to_half(graph, floats, largest):
        raise ExportError("--precision fp16: the network has no convolution or matrix product that fits into 16 bits")
    drop_unread(graph)
    graph.shorten_names()
    graph.write()


EDITS: dict[str, Callable[[onnx.ModelProto, ModelFile, Sequence[Feeds]], None]] = {INT8: _to_int8, FP16: _to_fp16}


def _manifest(file: ModelFile) -> Manifest:
    manifest = read_manifest(file)
    assert manifest
    return manifest


def _finished(file: ModelFile, model: onnx.ModelProto, manifest: Manifest) -> ModelFile:
    """The file of an edited graph, whose outputs have the shapes that they have in `file`."""
    shapes = {
        port.name: tuple(axis.dim_param or axis.dim_value for axis in port.type.tensor_type.shape.dim[1:])
        for port in model.graph.output
    }
    return finish(model, manifest, shapes, file.opset, file.path)


def _check_rows(file: ModelFile, feeds: Feeds) -> None:
    """Raise ExportError if rows differ between one batch, batches of one row, and numbers of threads."""
    rows = {name: values[:CHECKED] for name, values in feeds.items()}
    count = len(next(iter(rows.values())))
    whole = _run(file, rows, 1)
    single = [_run(file, {name: value[i : i + 1] for name, value in rows.items()}, 1) for i in range(count)]
    apart = tuple(np.concatenate(parts) for parts in zip(*single, strict=True))
    if not all(map(np.array_equal, whole, apart)) or not all(map(np.array_equal, whole, _run(file, rows, 2))):
        raise ExportError("what the file gives for a row depends on its batch or on the number of threads")


def _run(file: ModelFile, feeds: Feeds, threads: int) -> Rows:
    return tuple(open_session(file, "cpu", threads).onnx.run(None, feeds))


def _fingerprint(file: ModelFile, before: Fingerprint, precision: str) -> Fingerprint:
    """What the file gives here, and how far it may be off elsewhere.

    ONNX Runtime computes quantised groups in integers or, on other devices, in floats; and floats in another order.
    Where a value lies between two levels, either may result. The tolerance is twice the largest difference that is
    seen between the two ways here.
    """
    try:
        with open_model(file, "cpu", 1) as opened:
            here = _first(opened, before)
            if precision == INT8:
                _check_tiles(opened)
            opened.session.onnx = _unoptimised(file)
            in_floats = _first(opened, before)
    except GanEdgeError as error:
        raise ExportError(f"the runtime cannot use the file: {error}") from error
    found = replace(before, pixels=spread(here, PIXELS).tobytes())
    return replace(found, tolerance=max(Fingerprint.tolerance, min(255, 2 * difference(found, in_floats))))


def _first(opened: Generator | ImageToImage, fingerprint: Fingerprint) -> NDArray[np.uint8]:
    """The images of a fingerprint."""
    if isinstance(opened, Generator):
        return first_levels(opened, fingerprint.count, fingerprint.seed)
    return opened(source_images(opened.manifest.source, fingerprint.count, fingerprint.seed))


def _check_tiles(opened: Generator | ImageToImage) -> None:
    """Raise ExportError if tiles differ from the whole, in a file of int8 for which the manifest says that they do not.

    In fp16 they may differ by a grey level, as on other devices.
    """
    if isinstance(opened, ImageToImage) and opened.manifest.network and opened.manifest.network.context is not None:
        check_tiles(opened)


def _unoptimised(file: ModelFile) -> Any:
    """A session of ONNX Runtime that fuses nothing, and so computes quantised groups in floats."""
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, FATAL
    return ort.InferenceSession(file.content, options, providers=[CPU])
