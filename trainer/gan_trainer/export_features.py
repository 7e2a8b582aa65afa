"""A feature network -> one verified ONNX file of the task "features"."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_runtime.errors import InputError
from gan_runtime.features import FEATURES, LOGITS, TASK
from gan_runtime.files import atomic_write, check_writable
from gan_runtime.image_reader import IMAGES
from gan_runtime.manifest import ImageSize, Manifest, Measures
from gan_runtime.model_file import ModelFile
from gan_runtime.session import open_session
from gan_trainer.onnx_file import OPSETS, ExportError, compare, finish, fold_batch_norm, frozen_copy, to_onnx

PARITY_BATCHES = (1, 3, 64)
TOLERANCE = 1e-3  # of features and logits, whose size is about 1 to 10


def export_features(
    module: nn.Module,
    path: str | Path,
    *,
    size: ImageSize,
    class_names: tuple[str, ...],
    opset: int = 17,
    name: str | None = None,
    training: dict[str, Any] | None = None,
    quality: list[dict[str, Any]] | None = None,
) -> ModelFile:
    """Write `module` as a feature network that `gan-eval --features` takes.

    Args:
        module: uint8 [n, h, w, c] -> features float [n, d], logits float [n, classes]. It is neither changed nor moved.
        path: the file to create or replace.
        size: of the images.
        class_names: what the classes of the logits are called.
        opset: version of the ONNX operator set, exactly.
        name: of the network, for people; the file's stem if None.
        training: where it comes from, any JSON object.
        quality: what was measured of it, any JSON objects.

    Raises:
        ExportError: torch cannot express the network at this opset, or the file would measure other features.
        InputError: the opset is out of range.
        OutputError: `path` cannot be written.
    """
    path = Path(path)
    check_writable(path)
    if opset not in OPSETS:
        raise InputError(f"opset {opset}: choose one from {OPSETS[0]} to {OPSETS[-1]}")
    reference = frozen_copy(module)
    dim, classes = (part.shape[1] for part in _run(reference, _images(2, size)))
    measures = Measures(dim, classes, class_names)
    manifest = Manifest(
        name or path.stem, TASK, training=training or {}, quality=quality or [], images=size, measures=measures
    )
    network = fold_batch_norm(deepcopy(reference))
    model = to_onnx(network, {IMAGES: _images(2, size)}, [FEATURES, LOGITS], opset)
    file = finish(model, manifest, {FEATURES: (dim,), LOGITS: (classes,)}, opset, path)
    _check_parity(file, reference, size)
    with atomic_write(path) as target:
        target.write(file.content)
    return file


def _check_parity(file: ModelFile, network: nn.Module, size: ImageSize) -> None:
    session = open_session(file, "cpu").onnx
    for n in PARITY_BATCHES:
        images = _images(n, size)
        found = session.run([FEATURES, LOGITS], {IMAGES: images.numpy()})
        for values, expected, what in zip(found, _run(network, images), (FEATURES, LOGITS), strict=True):
            compare(n, values, expected.numpy(), TOLERANCE, what)


@torch.no_grad()
def _run(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    found = network(images)
    if not isinstance(found, tuple) or [part.ndim for part in found] != [2, 2]:
        raise ExportError("a feature network gives features [n, d] and logits [n, classes]")
    return found


def _images(n: int, size: ImageSize) -> Tensor:
    """Images of noise, the same ones each time."""
    shape = (n, size.height, size.width, size.channels)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
