"""A feature network -> one verified ONNX file of the task "features"."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_runtime.evaluation.features import FEATURES, LOGITS
from gan_runtime.files import atomic_write, check_writable
from gan_runtime.image_reader import IMAGES
from gan_runtime.manifest import FeaturesManifest, ImageAxes, Measures
from gan_runtime.model_file import ModelFile
from gan_trainer.export.network import frozen_copy, plain_copy
from gan_trainer.export.onnx_file import EXAMPLE_ROWS, ExportError, check_opset, finish, to_onnx
from gan_trainer.export.parity import Output, check_parity, file_rows, image_blocks, network_rows
from gan_trainer.training.determinism import settle_math_library

TOLERANCE = 1e-3  # for features and logits with values of about 1 to 10
OUTPUTS = Output(FEATURES, TOLERANCE), Output(LOGITS, TOLERANCE)


def export_features(
    module: nn.Module,
    path: str | Path,
    *,
    size: ImageAxes,
    class_names: tuple[str, ...] = (),
    opset: int = 17,
    name: str | None = None,
    training: dict[str, Any] | None = None,
    quality: list[dict[str, Any]] | None = None,
    rows: int | None = None,
) -> ModelFile:
    """Export `module` as a feature network for `gan-eval --features`.

    Args:
        module: uint8 [n, h, w, c] -> features float [n, d] alone, or with logits float [n, classes] as a tuple. It is
            not modified.
        path: the file to create or replace.
        size: of the images; `ImageAxes()` for a network that takes images of any size, grey and RGB.
        class_names: names of the classes of the logits; () for none.
        opset: version of the ONNX operator set.
        name: of the network, for messages; None for the stem of the file.
        training: origin of the network, any JSON object.
        quality: measurements, any JSON objects.
        rows: batch size of the comparison with the module; smaller for slow networks.

    Raises:
        ExportError: torch cannot export the network at this opset, or the file gives other features.
        InputError: the opset is out of range.
        OutputError: `path` cannot be written.
    """
    path = Path(path)
    check_writable(path)
    check_opset(opset)
    settle_math_library()
    reference, blocks = frozen_copy(module), image_blocks(size, rows)
    examples, others = (block[0][:EXAMPLE_ROWS] for block in (blocks[0], blocks[-1]))
    network = plain_copy(reference, (examples,))
    measure = network_rows(reference, _checked)
    dim, *classes = (part.shape[1] for part in measure(blocks[0]))
    shapes: dict[str, tuple[int, ...]] = {
        name: (width,) for name, width in zip((FEATURES, LOGITS), (dim, *classes), strict=False)
    }
    names = list(shapes)
    manifest = FeaturesManifest(
        name=name or path.stem,
        images=size,
        output=Measures(dim, sum(classes), class_names),
        training=training or {},
        quality=quality or [],
    )
    inputs, more = ({IMAGES: torch.from_numpy(some)} for some in (examples, others))
    open_axes = tuple("" if length else name for name, length in asdict(size).items())
    model = to_onnx(network, inputs, names, opset, more, ("n", *open_axes))
    file = finish(model, manifest, shapes, opset, path)
    check_parity(measure, file_rows(file, names), blocks, OUTPUTS[: len(names)])
    with atomic_write(path) as target:
        target.write(file.content)
    return file


def _checked(found: object) -> tuple[Tensor, ...]:
    parts = found if isinstance(found, tuple) else (found,)
    if not 1 <= len(parts) <= 2 or not all(isinstance(part, Tensor) and part.ndim == 2 for part in parts):
        raise ExportError("a feature network gives features [n, d], and perhaps logits [n, classes]")
    return parts
