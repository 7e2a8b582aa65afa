"""An encoder -> one verified ONNX file of the task "encode"."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gan_runtime.encoder import LATENTS
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.recorded import record
from gan_runtime.manifest import EncodeManifest, ImageSize, Latents
from gan_runtime.model_file import ModelFile
from gan_runtime.onnx_model import IMAGES
from gan_trainer.data.pixels import normalise
from gan_trainer.export.network import frozen_copy, plain_copy
from gan_trainer.export.onnx_file import EXAMPLE_ROWS, check_opset, finish, to_onnx
from gan_trainer.export.parity import Output, check_parity, file_rows, image_blocks, network_rows
from gan_trainer.training.determinism import settle_math_library

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
        values: Tensor = self.network(normalise(images))[:, : self.latent_dim].float()
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
    check_opset(opset)
    settle_math_library()
    network = frozen_copy(module)
    blocks = image_blocks(size)
    examples = torch.from_numpy(blocks[0][0][:EXAMPLE_ROWS])
    plain = plain_copy(network, (normalise(examples).numpy(),))
    reference, deployed = (Deployed(part, latents.dim) for part in (network, plain))
    encode = network_rows(reference, lambda values: [values])
    largest = max(1.0, *(float(np.abs(encode(block)[0]).max()) for block in blocks))
    manifest = EncodeManifest(
        name=name or path.stem, images=size, latents=latents, training=training or {}, pictures=record(pictures)
    )
    model = to_onnx(deployed, {IMAGES: examples}, [LATENTS], opset)
    file = finish(model, manifest, {LATENTS: (latents.dim,)}, opset, path)
    outputs = [Output(LATENTS, TOLERANCE * largest)]
    check_parity(encode, file_rows(file, [LATENTS]), blocks, outputs)
    return file
