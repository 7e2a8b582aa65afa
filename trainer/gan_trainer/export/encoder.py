"""Export an encoder to one verified ONNX file of the task "encode"."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gan_runtime.encoder import LATENTS
from gan_runtime.image_reader import IMAGES
from gan_runtime.images.options import PictureOptions
from gan_runtime.images.recorded import record
from gan_runtime.manifest import EncodeManifest, ImageSize, Latents
from gan_runtime.model_file import ModelFile
from gan_trainer.data.pixels import normalise
from gan_trainer.export.network import frozen_copy, plain_copy
from gan_trainer.export.onnx_file import EXAMPLE_ROWS, check_opset, finish, to_onnx
from gan_trainer.export.parity import Output, check_parity, file_rows, image_blocks, network_rows
from gan_trainer.training.determinism import settle_math_library

TOLERANCE = 1e-4  # of latents, relative to the largest one, or to 1 if that is larger


class Deployed(nn.Module):
    """An encoder as it is deployed: images uint8 [n, h, w, c] to the first `latent_dim` of its outputs."""

    def __init__(self, network: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.network = network
        self.latent_dim = latent_dim
        self.eval()  # the exporter restores the mode of this module, and would set `network` to training mode

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images, encoded. The outputs after the first `latent_dim`, a VAE's variances, are left out."""
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
    """A verified file of `module` for `gan_runtime.Encoder`, which is not written yet.

    Args:
        module: images float [n, c, h, w] in [-1, 1] -> float [n, d or more], the first d of which are the latents. It
            is neither changed nor moved.
        path: where the file will be written, for messages.
        size: the size of the images.
        latents: the latents that its generator takes.
        opset: the version of the ONNX operator set of the file, 13 to 20.
        name: the name of the encoder in its manifest; the stem of `path` if None.
        training: any JSON object for the manifest; its key `generator` names the generator of the encoder.
        pictures: how pictures became the training images.

    Raises:
        ExportError: torch cannot express the network at this opset, or the file gives other latents.
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
