"""The features of stacked images: one network of grey images, run on each of the three channels in one ONNX file."""

import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FEATURES, LOGITS, FeatureNetwork
from gan_runtime.files import atomic_write, check_writable
from gan_runtime.image_reader import IMAGES
from gan_runtime.laboratory.stacked import CHANNELS
from gan_runtime.manifest import FeaturesManifest, ImageSize, Measures, read_manifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_trainer.export.onnx_file import finish
from gan_trainer.export.parity import Compute, Rows, check_parity, file_rows, image_blocks
from gan_trainer.features.export import OUTPUTS
from gan_trainer.runs.folder import software

NOISE = (64, 32)  # batch sizes of the comparison
PART = "part/"  # prefix of names from the network of grey images

# n images become 3 n grey ones: red, green and blue of the first, then of the second
SPLIT = """
    <ir_version: {ir}, opset_import: ["": {opset}]>
    split (uint8[n, {h}, {w}, 3] images) => (uint8[m, {h}, {w}, 1] channels) {{
        planes = Transpose <perm = [0, 3, 1, 2]> (images)
        shape = Constant <value_ints = [-1, {h}, {w}, 1]> ()
        channels = Reshape (planes, shape)
    }}
"""
# features side by side; a logit for each triple of classes, the sum of three logarithms of probabilities
JOIN = """
    <ir_version: {ir}, opset_import: ["": {opset}]>
    join (float[m, {d}] rows, float[m, {c}] scores) => (float[n, {features}] features, float[n, {logits}] logits) {{
        wide = Constant <value_ints = [-1, {features}]> ()
        features = Reshape (rows, wide)
        logs = LogSoftmax <axis = 1> (scores)
        triples = Constant <value_ints = [-1, 3, {c}]> ()
        parts = Reshape (logs, triples)
        zero = Constant <value_int = 0> ()
        one = Constant <value_int = 1> ()
        two = Constant <value_int = 2> ()
        red = Gather <axis = 1> (parts, zero)
        green = Gather <axis = 1> (parts, one)
        blue = Gather <axis = 1> (parts, two)
        first = Constant <value_ints = [-1, {c}, 1, 1]> ()
        second = Constant <value_ints = [-1, 1, {c}, 1]> ()
        third = Constant <value_ints = [-1, 1, 1, {c}]> ()
        reds = Reshape (red, first)
        greens = Reshape (green, second)
        blues = Reshape (blue, third)
        pairs = Add (reds, greens)
        sums = Add (pairs, blues)
        flat = Constant <value_ints = [-1, {logits}]> ()
        logits = Reshape (sums, flat)
    }}
"""


def stack_features(source: Path, path: Path, name: str) -> ModelFile:
    """Compose a feature network of stacked images from one of grey images, whose weights are stored once.

    Args:
        source: the feature file of the grey images: features [n, d], logits [n, c].
        path: the file to create or replace: features [n, 3 d] of red, green and blue, logits [n, c**3], so that the
            softmax of class c**2 red + c green + blue is the product of the three probabilities.
        name: of the network, for people.

    Raises:
        ExportError: the features differ from those of `source` for each channel.
        InputError: `source` is not a network of grey images.
        ModelError: as `FeatureNetwork.load`.
        OutputError: `path` cannot be written.
    """
    check_writable(path)
    model = read_model_file(source)
    part = FeatureNetwork.open(model, "cpu")
    grey = part.fixed_size(str(source))
    if grey.channels != 1:
        raise InputError(f"{source}: takes {grey.channels} channels; features of grey images can be stacked")
    opset, (dim, classes) = part.model.opset, (CHANNELS * part.dim, part.classes**CHANNELS)
    size = replace(grey, channels=CHANNELS)
    manifest = FeaturesManifest(
        name=name,
        training={"data": name, "parts": {"name": part.name, "sha256": part.model.sha256}, "software": software()},
        images=size,
        output=Measures(dim, classes, tuple(map("".join, product(_class_names(part), repeat=CHANNELS)))),
    )
    file = finish(_composed(model, part), manifest, {FEATURES: (dim,), LOGITS: (classes,)}, opset, path)
    noise = [(_noise(n, grey),) for n in NOISE]
    blocks = [*noise, *image_blocks(size)]
    check_parity(_channel_by_channel(model), file_rows(file, [FEATURES, LOGITS]), blocks, OUTPUTS, "the parts")
    with atomic_write(path) as target:
        target.write(file.content)
    return file


def _class_names(part: FeatureNetwork) -> tuple[str, ...]:
    manifest = read_manifest(part.model)
    described = manifest.output if isinstance(manifest, FeaturesManifest) else None
    return described.names if described else tuple(map(str, range(part.classes)))


def _composed(file: ModelFile, part: FeatureNetwork) -> onnx.ModelProto:
    model = onnx.load_from_string(file.content)
    del model.metadata_props[:]
    del model.graph.value_info[:]  # of n rows, which become 3 n
    numbers = {"ir": model.ir_version, "opset": part.model.opset, "h": part.size.height, "w": part.size.width}
    numbers |= {"d": part.dim, "c": part.classes, "features": CHANNELS * part.dim, "logits": part.classes**CHANNELS}
    split, join = (onnx.parser.parse_model(text.format(**numbers)) for text in (SPLIT, JOIN))
    inner = onnx.compose.add_prefix(model, PART)
    begun = onnx.compose.merge_models(split, inner, [("channels", PART + IMAGES)])
    return onnx.compose.merge_models(begun, join, [(PART + FEATURES, "rows"), (PART + LOGITS, "scores")])


def _channel_by_channel(part: ModelFile) -> Compute:
    """The expected output of the stacked network: features of each channel, and sums of log-probabilities."""
    measure = file_rows(part, [FEATURES, LOGITS])

    def compute(rows: Rows) -> Rows:
        (images,) = rows
        planes = [np.ascontiguousarray(images[..., [channel]]) for channel in range(CHANNELS)]
        features, logits = zip(*(measure((plane,)) for plane in planes), strict=True)
        red, green, blue = (values - np.log(np.exp(values).sum(1, keepdims=True)) for values in logits)
        sums = red[:, :, None, None] + green[:, None, :, None] + blue[:, None, None, :]
        return np.concatenate(features, 1), sums.reshape(len(images), -1)

    return compute


def _noise(n: int, size: ImageSize) -> NDArray[np.uint8]:
    """Noise images, every channel with a different brightness: features of plain noise hardly differ."""
    shape = (n, size.height, size.width, CHANNELS)
    words = np.random.Philox(n).random_raw(math.prod(shape)).reshape(shape)
    brightness = np.linspace(0.1, 1.0, n * CHANNELS).reshape(n, 1, 1, CHANNELS)
    return (brightness * (words >> np.uint64(56))).astype(np.uint8)
