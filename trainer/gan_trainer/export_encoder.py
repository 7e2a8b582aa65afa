"""An encoder -> one verified ONNX file of the task "encode"."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_runtime.datasets import PictureOptions
from gan_runtime.encoder import LATENTS, TASK
from gan_runtime.errors import InputError
from gan_runtime.image_reader import IMAGES
from gan_runtime.manifest import ImageSize, Latents, Manifest
from gan_runtime.model_file import ModelFile
from gan_runtime.recorded_pictures import record
from gan_runtime.session import open_session
from gan_trainer.determinism import settle_math_library
from gan_trainer.onnx_file import OPSETS, ExportError, compare, finish, fold_batch_norm, frozen_copy, to_onnx
from gan_trainer.pixels import normalise

PARITY_BATCHES = (1, 3, 64)
TOLERANCE = 1e-4  # of latents, in units of the largest one or of 1


class Deployed(nn.Module):
    """The encoder as it is deployed: uint8 [n, h, w, c] -> the first `latent_dim` of its values."""

    def __init__(self, network: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.network = network
        self.latent_dim = latent_dim
        self.eval()  # as the generator's wrapper: the exporter restores the mode that it finds

    def forward(self, images: Tensor) -> Tensor:
        """Normalise, encode, and leave out a VAE's variances, which come after its means."""
        values: Tensor = self.network(normalise(images))[:, : self.latent_dim]
        return values


def encoder_file(
    module: nn.Module,
    path: Path,
    *,
    size: ImageSize,
    latents: Latents,
    opset: int = 17,
    name: str | None = None,
    training: dict[str, Any] | None = None,
    pictures: PictureOptions | None = None,
) -> ModelFile:
    """`module` as a verified file that `gan_runtime.Encoder` takes; not written yet.

    Args:
        module: images float [n, c, h, w] in [-1, 1] -> latents float [n, d], perhaps more values after the first d. It
            is neither changed nor moved.
        path: where it will be written; for messages.
        size: of the images.
        latents: what the generator takes.
        opset: version of the ONNX operator set, exactly.
        name: of the encoder, for people; the path's stem if None.
        training: where it comes from, any JSON object; `generator` says which generator it belongs to.
        pictures: how pictures became the images that it was trained on.

    Raises:
        ExportError: torch cannot express the network at this opset, or the file would give other latents.
        InputError: the opset is out of range.
    """
    if opset not in OPSETS:
        raise InputError(f"opset {opset}: choose one from {OPSETS[0]} to {OPSETS[-1]}")
    settle_math_library()
    reference = Deployed(frozen_copy(module), latents.dim)
    deployed = Deployed(fold_batch_norm(deepcopy(reference.network)), latents.dim)
    manifest = Manifest(
        name or path.stem, TASK, training=training or {}, images=size, codes=latents, pictures=record(pictures)
    )
    model = to_onnx(deployed, {IMAGES: _images(2, size)}, [LATENTS], opset)
    file = finish(model, manifest, {LATENTS: (latents.dim,)}, opset, path)
    _check_parity(file, reference, size)
    return file


def _check_parity(file: ModelFile, network: nn.Module, size: ImageSize) -> None:
    session = open_session(file, "cpu").onnx
    for n in PARITY_BATCHES:
        images = _images(n, size)
        with torch.no_grad():
            expected = network(images)
        if not bool(torch.isfinite(expected).all()):
            raise ExportError("the encoder gives values that are not finite")
        (found,) = session.run([LATENTS], {IMAGES: images.numpy()})
        scale = max(1.0, expected.abs().max().item())
        compare(n, found / scale, expected.numpy() / scale, TOLERANCE, "of the largest latent")


def _images(n: int, size: ImageSize) -> Tensor:
    """Images of noise, the same ones each time."""
    shape = (n, size.height, size.width, size.channels)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
